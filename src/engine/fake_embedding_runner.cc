#include "engine/fake_embedding_runner.h"

#include <numeric>
#include <utility>

namespace plinth::engine {

namespace {

class FakeEmbeddingRunner final : public EmbeddingRunner {
 public:
  explicit FakeEmbeddingRunner(FakeEmbeddingRunnerOptions options) : options_(std::move(options)) {}
  std::int32_t dimensions() const override { return options_.dimensions; }
  std::int32_t vocab_size() const override { return options_.vocab_size; }
  std::int32_t context_tokens_max() const override { return options_.context_tokens_max; }
  absl::Status embed(std::span<const std::vector<std::int32_t>> sequences,
                     std::vector<float>& out) override {
    if (options_.on_batch) RETURN_IF_ERROR(options_.on_batch(sequences));
    out.clear();
    for (const auto& sequence : sequences) {
      const auto sum = std::accumulate(sequence.begin(), sequence.end(), std::int64_t{0});
      for (std::int32_t d = 0; d < options_.dimensions; ++d) {
        out.push_back(static_cast<float>(sum + d));
      }
    }
    return absl::OkStatus();
  }

 private:
  const FakeEmbeddingRunnerOptions options_;
};

}  // namespace

std::unique_ptr<EmbeddingRunner> make_fake_embedding_runner(
    const FakeEmbeddingRunnerOptions& options) {
  return std::make_unique<FakeEmbeddingRunner>(options);
}

}  // namespace plinth::engine
