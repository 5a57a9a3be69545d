// What the engine needs of a model: run a batch of token spans over paged KV, give logits.
// model_runner.h is the real one; fake_runner.h scripts tokens and checks every block it is given.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/named_type.h"
#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::engine {

using BlockId = base::NamedType<std::int32_t, struct BlockIdTag>;
// Of a runner, among the adapters that it has loaded; a number is not used twice.
using AdapterId = base::NamedType<std::int32_t, struct AdapterIdTag>;
inline constexpr AdapterId kNoAdapter{-1};
inline constexpr int kBlockTokens = 16;  // tokens of one KV page

// One sequence's part of a step.
struct BatchEntry {
  std::span<const std::int32_t> tokens;  // new tokens, at positions [position, position + size)
  std::int32_t position = 0;             // tokens already in the KV pages
  std::span<const BlockId> blocks;       // pages of positions [0, position + tokens.size())
  // Logits are wanted for the last `logits` of the tokens: 0 in a prefill chunk that is not the
  // last, 1 in decode and in the last chunk, more for prompt logprobs and to verify drafts.
  std::int32_t logits = 1;
  // The sequence is longer than RunnerInfo::short_rope_tokens_max. Its keys in the pages were made
  // with the same value.
  bool long_rope = false;
  // The tokens are of the prompt, all of them, which matters where RunnerInfo::prompts_apart.
  bool prompt = false;
  // The last `drafts` of the tokens are guesses: the sequence may go on with others from any of
  // their positions, and then writes those slots of its pages again.
  std::int32_t drafts = 0;
  AdapterId adapter = kNoAdapter;  // loaded; all tokens of the sequence are computed with it
};

struct LoadedAdapter {
  AdapterId id = kNoAdapter;
  std::size_t bytes = 0;  // of memory
};

struct RunnerInfo {
  std::int32_t vocab_size = 0;
  std::int32_t context_tokens_max = 0;             // the model's own limit
  std::int32_t short_rope_tokens_max = INT32_MAX;  // LongRoPE's original context
  std::size_t kv_block_bytes = 0;                  // of one page, all layers
  // What each position of context adds to the cost of a token, as a share of the token's own.
  double position_cost = 0;
  // Prompts are computed in an arithmetic of their own: a token's keys and values depend on whether
  // its sequence was given it or made it.
  bool prompts_apart = false;
  std::string fingerprint;  // of weights, kernels and numeric options
};

// Used by one thread at a time, but for adapters, which any thread may load and unload.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual const RunnerInfo& info() const = 0;
  // Makes room for `blocks` pages, once, before the first forward().
  virtual absl::Status allocate_kv(std::int32_t blocks) = 0;
  // Copies nothing out of order: after OK, `logits` is [sum of entry.logits, vocab_size] fp32 in
  // batch order, valid until the next call, and the pages hold the new tokens' keys and values.
  virtual absl::Status forward(std::span<const BatchEntry> batch,
                               std::span<const float>& logits) = 0;
  // Overwrites the pages with zeros before another tenant may get them (promise 4).
  virtual void clear_blocks(std::span<const BlockId> blocks) = 0;
  // Errors are those of model/adapter_file.h.
  virtual absl::StatusOr<LoadedAdapter> load_adapter(const protocol::AdapterRef& /*adapter*/) {
    return base::unimplemented("this runner takes no adapters");
  }
  // No batch names it any more.
  virtual void unload_adapter(AdapterId /*adapter*/) {}
};

// Text vectors: encoders (BERT) and pooled decoders.
class EmbeddingRunner {
 public:
  virtual ~EmbeddingRunner() = default;
  virtual std::int32_t dimensions() const = 0;
  virtual std::int32_t vocab_size() const = 0;
  virtual std::int32_t context_tokens_max() const = 0;
  // One pooled vector for each sequence, normalised where the model says so. out:
  // [sequences.size(), dimensions].
  virtual absl::Status embed(std::span<const std::vector<std::int32_t>> sequences,
                             std::vector<float>& out) = 0;
};

}  // namespace plinth::engine
