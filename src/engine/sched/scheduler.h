// Which sequences run in the next step, and with which pages: continuous batching with chunked
// prefill, and preemption by recompute. Yu et al., "Orca", OSDI 2022; Kwon et al., "Efficient
// memory management for LLM serving with PagedAttention", SOSP 2023; Agrawal et al.,
// "Sarathi-Serve", 2024.
//
// The rules:
//  1. A step computes at most step_tokens_max tokens. First every running sequence that lacks one
//     token (decode), then running prompts in chunks, oldest first, then new sequences.
//  2. Sequences start in the order of their arrival; none is passed over. The next one starts when
//     there are pages for all of its tokens and one more, or when nothing runs.
//  3. A running sequence that lacks a page takes it, in this order, from: the free pages; the
//     prefix cache's pages that nobody holds; waiting sequences that hold pages; the youngest
//     running sequence, which gives up all its pages and waits again at its place by arrival. A
//     step that preempted starts nothing.
//  4. At most min(sequences_max, step_tokens_max) sequences run, so that every step moves each
//     decode by its token and the oldest prompt by one at least.
//  5. The choices of one request share their prompt's full pages: the first choice computes them,
//     the others start from them.
//  6. A sequence that grows past short_rope_tokens_max gives up its pages, whose keys are
//  LongRoPE's
//     for short sequences, and computes all its tokens again with the long ones: what a token is
//     depends on the sequence alone, and not on where its prompt ended.
//  7. What a step's budget leaves may go to drafts: guesses of the tokens after a decode's. They
//     take pages that no sequence holds, and give back at the end of the step those that turned
//     out not to be needed. No draft is ever among a sequence's tokens, nor so in the cache.
//  8. Where RunnerInfo::prompts_apart, no chunk has tokens of a prompt and others, and the prefix
//     cache has pages of prompts alone: what a sequence made is computed again where it comes back
//     as another's prompt.
// No starvation: the oldest sequence is never preempted and moves in every step, so it ends; then
// the next one is the oldest.
#pragma once

#include <utility>
#include <vector>

#include "engine/kv/prefix_cache.h"
#include "engine/sched/sequence.h"

namespace plinth::engine {

struct SchedulerOptions {
  std::int32_t step_tokens_max = 512;
  std::int32_t sequences_max = 256;
  PrefixCacheOptions cache;
  std::int32_t short_rope_tokens_max = INT32_MAX;  // RunnerInfo's
  bool prompts_apart = false;                      // likewise
};

struct ScheduledChunk {
  Sequence* sequence = nullptr;
  std::int32_t tokens = 0;  // from sequence->computed on
  bool prompt = false;      // all of them are of the prompt
  bool first = false;       // of this sequence, ever: `cached` is now known
  std::int32_t drafts = 0;  // guesses that are computed after the tokens
};

// One owner thread. Holds pointers to sequences between add() and remove().
class Scheduler {
 public:
  Scheduler(std::int32_t blocks, const SchedulerOptions& options);

  // A sequence that one page pool can hold at its longest. `leader`, if any, has the same prompt
  // and was added before; this one waits until the leader's prompt is computed, or for its own
  // turn where the leader was removed.
  void add(Sequence& sequence, Sequence* leader = nullptr);
  // Frees its pages at once.
  void remove(Sequence& sequence);
  // The chunks of the next step. Every chunk's sequence has pages for computed + tokens. Empty only
  // where nothing is left to run. Valid until the next call.
  std::vector<ScheduledChunk>& plan();
  // Between plan() and the forward pass: widens a chunk that ends with its sequence's last token by
  // up to `tokens` drafts, as many as rule 7 and short_rope_tokens_max leave.
  void add_drafts(ScheduledChunk& chunk, std::int32_t tokens);
  // The chunk's keys and values are in its pages: full ones go to the prefix cache. Its drafts
  // are not among them.
  void commit(const ScheduledChunk& chunk);
  // The next draft turned out to be the sequence's next token, which was appended: it is computed.
  void keep_draft(Sequence& sequence);
  // The other drafts were wrong: pages that held nothing else are free.
  void drop_drafts(Sequence& sequence);
  // Pages to be cleared before the next forward pass.
  std::vector<BlockId> take_freed() { return cache_.take_freed(); }

  const PrefixCache& cache() const { return cache_; }
  std::int32_t running() const { return static_cast<std::int32_t>(running_.size()); }
  std::int32_t waiting() const {
    return static_cast<std::int32_t>(waiting_.size() + followers_.size());
  }
  std::int64_t preemptions() const { return preemptions_; }

 private:
  void release(Sequence& sequence);
  void take_cached(Sequence& sequence);
  void preempt(Sequence& sequence);
  bool outgrows_short_rope(const Sequence& sequence) const;
  void begin_again_with_long_rope(Sequence& sequence);
  std::int32_t chunk_tokens(const Sequence& sequence) const;
  std::int32_t cached_tokens_max(const Sequence& sequence) const;
  void extend(Sequence& sequence);
  bool start(Sequence& sequence);
  // Pages for `tokens` more, by rule 3. False where even then there are not enough.
  bool reserve(Sequence& sequence, std::int32_t tokens, bool may_preempt);
  bool reclaim_from_waiting(const Sequence& needy);
  void free_followers(const Sequence& leader);
  void advance(Sequence& sequence, std::int32_t tokens);

  PrefixCache cache_;
  const SchedulerOptions options_;
  const std::int32_t running_max_;
  std::vector<Sequence*> running_, waiting_;  // each oldest first
  std::vector<Sequence*> followers_;          // whose leader still computes their prompt
  std::uint64_t arrivals_ = 0;
  std::vector<ScheduledChunk> chunks_;  // of the step that plan() made
  std::int32_t budget_ = 0;             // left of it
  std::int64_t preemptions_ = 0;
};

}  // namespace plinth::engine
