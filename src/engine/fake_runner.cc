#include "engine/fake_runner.h"

#include <mutex>
#include <set>

#include "base/check.h"
#include "base/random.h"

namespace plinth::engine {

namespace {

constexpr std::int64_t kEmpty = -1;
// Beside the token, in a slot that was written for a long sequence.
constexpr std::int64_t kLongRope = std::int64_t{1} << 32;
// Beside the token, in a slot of a prompt that is computed apart.
constexpr std::int64_t kPrompt = std::int64_t{1} << 33;
// Adapters are counted from this bit on, beside the token that was computed with one.
constexpr int kAdapterShift = 34;
// At temperature 1 the favoured one of 256 tokens comes five times of six.
constexpr float kPeriodBias = 8;

class FakeRunner final : public Runner {
 public:
  explicit FakeRunner(const FakeRunnerOptions& options) : period_(options.period) {
    info_.vocab_size = options.vocab_size;
    info_.context_tokens_max = options.context_tokens_max;
    info_.short_rope_tokens_max = options.short_rope_tokens_max;
    info_.prompts_apart = options.prompts_apart;
    info_.kv_block_bytes = 1024;
    info_.fingerprint = "fp_fake";
  }
  const RunnerInfo& info() const override { return info_; }
  absl::Status allocate_kv(std::int32_t blocks) override {
    slots_.assign(static_cast<std::size_t>(blocks) * kBlockTokens, kEmpty);
    return absl::OkStatus();
  }
  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    logits_.clear();
    for (const auto& entry : batch) {
      CHECK(entry.adapter == kNoAdapter || adapters_.has(entry.adapter));
      for (std::size_t i = 0; i < entry.tokens.size(); ++i) {
        slot(entry, entry.position + static_cast<std::int32_t>(i)) =
            entry.tokens[i] | (entry.long_rope ? kLongRope : 0) |
            (info_.prompts_apart && entry.prompt ? kPrompt : 0) | adapter_bits(entry);
      }
      CHECK(entry.drafts >= 0 && entry.drafts < static_cast<std::int32_t>(entry.tokens.size()));
      const auto end = entry.position + static_cast<std::int32_t>(entry.tokens.size());
      for (auto at = end - entry.logits; at < end; ++at) append_logits(entry, at + 1);
    }
    logits = logits_;
    return absl::OkStatus();
  }
  absl::StatusOr<LoadedAdapter> load_adapter(const protocol::AdapterRef& adapter) override {
    const auto& path = adapter.path;
    if (path.starts_with("broken")) return base::invalid_argument(path + ": broken");
    if (adapter.key == "old") return absl::AbortedError("sealed anew");
    return LoadedAdapter{adapters_.add(), path.size()};
  }
  void unload_adapter(AdapterId adapter) override { adapters_.remove(adapter); }
  void clear_blocks(std::span<const BlockId> blocks) override {
    for (const auto block : blocks) {
      for (int i = 0; i < kBlockTokens; ++i) {
        slots_[static_cast<std::size_t>(block.value() * kBlockTokens + i)] = kEmpty;
      }
    }
  }

 private:
  class Adapters {
   public:
    AdapterId add() {
      const std::lock_guard lock(mutex_);
      loaded_.insert(next_);
      return AdapterId(next_++);
    }
    void remove(AdapterId adapter) {
      const std::lock_guard lock(mutex_);
      CHECK(loaded_.erase(adapter.value()) == 1);
    }
    bool has(AdapterId adapter) const {
      const std::lock_guard lock(mutex_);
      return loaded_.contains(adapter.value());
    }

   private:
    mutable std::mutex mutex_;
    std::set<std::int32_t> loaded_;  // protected by mutex_, as is
    std::int32_t next_ = 0;
  };

  static std::int64_t adapter_bits(const BatchEntry& entry) {
    return (std::int64_t{entry.adapter.value()} + 1) << kAdapterShift;
  }

  std::int64_t& slot(const BatchEntry& entry, std::int32_t position) {
    const auto page = static_cast<std::size_t>(position / kBlockTokens);
    CHECK(page < entry.blocks.size());
    return slots_[static_cast<std::size_t>(entry.blocks[page].value() * kBlockTokens +
                                           position % kBlockTokens)];
  }
  void append_logits(const BatchEntry& entry, std::int32_t length) {
    CHECK(entry.long_rope || length <= info_.short_rope_tokens_max);
    std::uint64_t history = 1469598103934665603ull;  // FNV-1a
    for (std::int32_t p = 0; p < length; ++p) {
      const auto token = slot(entry, p);
      CHECK(token != kEmpty);
      CHECK(((token & kLongRope) != 0) == entry.long_rope);
      CHECK((token >> kAdapterShift << kAdapterShift) == adapter_bits(entry));
      history = (history ^ static_cast<std::uint64_t>(token)) * 1099511628211ull;
    }
    for (std::int32_t v = 0; v < info_.vocab_size; ++v) {
      logits_.push_back(
          static_cast<float>(4.0 * base::uniform_at(history, static_cast<std::uint64_t>(v))));
    }
    if (period_ == 0 || length < period_) return;
    const auto favoured = static_cast<std::int32_t>(slot(entry, length - period_));
    *(logits_.end() - info_.vocab_size + favoured) += kPeriodBias;
  }
  const std::int32_t period_;
  RunnerInfo info_;
  Adapters adapters_;
  std::vector<std::int64_t> slots_;
  std::vector<float> logits_;
};

class ByteTokenizer final : public model::Tokenizer {
 public:
  explicit ByteTokenizer(model::TokenId end) : end_(end) {}
  absl::StatusOr<std::vector<model::TokenId>> encode(std::string_view text,
                                                     const model::EncodeOptions&) const override {
    std::vector<model::TokenId> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  std::string token_bytes(model::TokenId id, bool) const override {
    return std::string(1, static_cast<char>(id));
  }
  std::int32_t vocab_size() const override { return 256; }
  const model::TokenizerSpec& spec() const override { return spec_; }
  bool is_end_of_generation(model::TokenId id) const override { return id == end_; }
  bool is_control(model::TokenId) const override { return false; }

 private:
  const model::TokenId end_;
  model::TokenizerSpec spec_;
};

}  // namespace

std::unique_ptr<Runner> make_fake_runner(const FakeRunnerOptions& options) {
  return std::make_unique<FakeRunner>(options);
}

std::unique_ptr<model::Tokenizer> make_byte_tokenizer(model::TokenId end_of_generation) {
  return std::make_unique<ByteTokenizer>(end_of_generation);
}

}  // namespace plinth::engine
