#include "train/token_stream.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"

namespace plinth::train {

namespace {

class StreamObjective final : public Objective {
 public:
  StreamObjective(std::vector<std::int32_t> tokens, std::int64_t window, std::int64_t stride)
      : tokens_(std::move(tokens)), window_(window), stride_(stride) {
    CHECK(window > 0 && stride > 0 && static_cast<std::int64_t>(tokens_.size()) > window);
  }

  std::int64_t records() const override {
    return (static_cast<std::int64_t>(tokens_.size()) - 1 - window_) / stride_ + 1;
  }
  std::int64_t tokens(std::size_t) const override { return window_; }
  double weight(std::size_t) const override { return static_cast<double>(window_); }

  Loss pass(Pass& pass, std::span<const std::size_t> records) override {
    Batch batch;
    for (const auto record : records) {
      const auto begin = tokens_.begin() + static_cast<std::int64_t>(record) * stride_;
      batch.documents.push_back({batch.tokens(), window_});
      batch.ids.insert(batch.ids.end(), begin, begin + window_);
      batch.targets.insert(batch.targets.end(), begin + 1, begin + window_ + 1);
    }
    batch.weights.assign(batch.ids.size(), 1.0f);
    auto& hidden = pass.decoder.hidden(pass.tape, batch, pass.recompute);
    const auto loss = cross_entropy(pass.tape, hidden, pass.decoder.head(), batch,
                                    pass.decoder.head_shape(), pass.factor);
    pass.tape.recording() ? pass.tape.backward() : pass.tape.clear();
    pass.tokens += batch.tokens();
    return loss;
  }

  void describe(base::json::object& run) const override {
    std::uint64_t hash = 14695981039346656037ull;  // FNV-1a
    for (const auto token : tokens_)
      hash = (hash ^ static_cast<std::uint64_t>(token)) * 1099511628211ull;
    run["data"] = fmt::format("{:016x}", hash);
    run["examples"] = records();
    run["window"] = window_;
  }

 private:
  const std::vector<std::int32_t> tokens_;
  const std::int64_t window_, stride_;
};

}  // namespace

std::unique_ptr<Objective> make_stream_objective(std::vector<std::int32_t> tokens,
                                                 std::int64_t window, std::int64_t stride) {
  return std::make_unique<StreamObjective>(std::move(tokens), window, stride);
}

}  // namespace plinth::train
