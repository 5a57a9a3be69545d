#include "faulty_runner.h"

#include <limits>
#include <map>
#include <utility>

namespace plinth::sim {

namespace {

using engine::BatchEntry;
using engine::BlockId;
using engine::kBlockTokens;

class FaultyRunner final : public engine::Runner {
 public:
  FaultyRunner(std::unique_ptr<engine::Runner> inner, const FaultyRunnerOptions& options,
               std::uint64_t seed, base::FakeClock& clock, std::vector<std::string>& violations)
      : inner_(std::move(inner)),
        options_(options),
        chance_(seed),
        clock_(clock),
        violations_(violations) {}

  const engine::RunnerInfo& info() const override { return inner_->info(); }
  absl::Status allocate_kv(std::int32_t blocks) override { return inner_->allocate_kv(blocks); }

  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    clock_.advance(options_.pass_time);
    for (const auto& entry : batch) {
      watch(entry);
      clock_.advance(options_.token_time * static_cast<int>(entry.tokens.size()));
    }
    if (options_.fails_one_in > 0 && chance_.one_in(options_.fails_one_in)) {
      (void)inner_->forward(batch.first(batch.size() / 2), logits);
      return base::internal("[sim] the device failed");
    }
    RETURN_IF_ERROR(inner_->forward(batch, logits));
    if (options_.not_finite_one_in > 0 && !logits.empty() &&
        chance_.one_in(options_.not_finite_one_in)) {
      broken_.assign(logits.begin(), logits.end());
      broken_[chance_.bits() % broken_.size()] = std::numeric_limits<float>::quiet_NaN();
      logits = broken_;
    }
    return absl::OkStatus();
  }

  void clear_blocks(std::span<const BlockId> blocks) override {
    for (const auto block : blocks) {
      std::erase_if(written_, [&](const auto& slot) { return slot.first.first == block.value(); });
    }
    inner_->clear_blocks(blocks);
  }

 private:
  void watch(const BatchEntry& entry) {
    const auto guesses = entry.tokens.size() - static_cast<std::size_t>(entry.drafts);
    for (std::size_t i = 0; i < entry.tokens.size(); ++i) {
      const auto position = entry.position + static_cast<std::int32_t>(i);
      const auto page = position / kBlockTokens;
      const auto block = entry.blocks[static_cast<std::size_t>(page)].value();
      const auto content = i < guesses ? kToken : page;
      const auto [slot, fresh] = written_.try_emplace({block, position % kBlockTokens}, content);
      if (!fresh && slot->second != page) {
        violations_.push_back("page " + std::to_string(block) + " was not cleared between owners");
      }
      slot->second = content;
    }
  }

  // What a slot of a page holds, beside the number of its owner's page for a draft.
  static constexpr std::int32_t kToken = -1;

  const std::unique_ptr<engine::Runner> inner_;
  const FaultyRunnerOptions options_;
  Chance chance_;
  base::FakeClock& clock_;
  std::vector<std::string>& violations_;
  std::map<std::pair<std::int32_t, int>, std::int32_t> written_;  // by page and slot
  std::vector<float> broken_;
};

}  // namespace

std::unique_ptr<engine::Runner> make_faulty_runner(std::unique_ptr<engine::Runner> inner,
                                                   const FaultyRunnerOptions& options,
                                                   std::uint64_t seed, base::FakeClock& clock,
                                                   std::vector<std::string>& violations) {
  return std::make_unique<FaultyRunner>(std::move(inner), options, seed, clock, violations);
}

}  // namespace plinth::sim
