// Which sequences run in the next step, and with which pages: continuous batching with chunked
// prefill, and preemption by recompute. Yu et al., "Orca", OSDI 2022; Kwon et al., "Efficient
// memory management for LLM serving with PagedAttention", SOSP 2023; Agrawal et al.,
// "Sarathi-Serve", 2024.
//
// The rules:
//  1. A step computes at most step_tokens_max tokens. First every running sequence that lacks one
//     token (decode), then running prompts in chunks and new sequences, by turns.
//  2. A turn belongs to the standard class before the batch class, then to the tenant that was
//     served least, what this step gives it counted in (fair_queue.h), then to its oldest sequence.
//     Nobody passes over who is next: it starts when there are pages for all of its tokens and one
//     more, or when nothing runs.
//  3. A running sequence that lacks a page takes it, in this order, from: the free pages; the
//     prefix cache's pages that nobody holds, pinned ones last; waiting sequences that hold pages;
//     the running sequence that comes last in the order of rule 2 (without this step), which gives
//     up all its pages and waits again. From then on the step starts nothing.
//  4. At most min(sequences_max, step_tokens_max) sequences run, so that every step moves each
//     decode by its token and the first prompt by one at least.
//  5. The choices of one request share their prompt's full pages: the first choice computes them,
//     the others start from them.
//  6. A sequence that grows past short_rope_tokens_max gives up its pages, whose keys are
//  LongRoPE's
//     for short sequences, and computes all its tokens again with the long ones: what a token is
//     depends on the sequence alone, and not on where its prompt ended.
//  7. What a step's budget leaves may go to drafts: guesses of the tokens after a decode's. They
//     take pages that no sequence holds and no prompt pins, and give back at the end of the step
//     those that turned out not to be needed. No draft is ever among a sequence's tokens, nor so in
//     the cache.
//  8. Where RunnerInfo::prompts_apart, no chunk has tokens of a prompt and others, and the prefix
//     cache has pages of prompts alone: what a sequence made is computed again where it comes back
//     as another's prompt.
//  9. While a tenant waits, no other one of its class gets further ahead of it than
//  service_bound():
//     the sequences of one that might in this step rest, and give up their places and pages to who
//     is next. Batch sequences do so for every standard one.
// No starvation: preemption takes pages and no tokens, so that what was served stays served. Who
// comes first, of those that run and those that can start, moves in every step and is not
// preempted; that moves its tenant's counter up, so that each tenant of a class comes first again
// and again, and its oldest sequence ends.
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "engine/kv/prefix_cache.h"
#include "engine/sched/fair_queue.h"
#include "engine/sched/sequence.h"

namespace plinth::engine {

struct SchedulerOptions {
  std::int32_t step_tokens_max = 512;
  std::int32_t sequences_max = 256;
  PrefixCacheOptions cache;
  std::int32_t short_rope_tokens_max = INT32_MAX;  // RunnerInfo's
  bool prompts_apart = false;                      // likewise
  TokenCosts costs = {};
};

struct ScheduledChunk {
  Sequence* sequence = nullptr;
  std::int32_t tokens = 0;  // from sequence->computed on
  bool prompt = false;      // all of them are of the prompt
  bool first = false;       // of this sequence, ever: `cached` is now known
  std::int32_t drafts = 0;  // guesses that are computed after the tokens
};

// One owner thread, but for pins, which any thread may ask for. Holds pointers to sequences between
// add() and remove().
class Scheduler {
 public:
  Scheduler(std::int32_t blocks, const SchedulerOptions& options);

  // A sequence that one page pool can hold at its longest. `leader`, if any, has the same prompt
  // and was added before; this one waits until the leader's prompt is computed, or for its own
  // turn where the leader was removed.
  // Its pin, if any, is given up once it has started or is removed.
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

  // How far a tenant may get ahead of one of its class that waits, in costs over weight: what the
  // pool's tokens cost. Of two tenants that wait all the time, the services over any time differ by
  // twice this at most (where a step has no more tokens than half the pool).
  double service_bound() const;

  // Of a prompt that is not added yet: what the cache has of all but its last token
  // (kv/prefix_cache.h).
  Pin pin(const std::string& salt, const std::string& adapter, std::span<const std::int32_t> prompt,
          base::TimePoint now);
  bool redeem(std::uint64_t pin, base::TimePoint now) { return cache_.redeem(pin, now); }
  void unpin(std::uint64_t pin) { cache_.unpin(pin); }

  const PrefixCache& cache() const { return cache_; }
  std::int32_t running() const { return static_cast<std::int32_t>(running_.size()); }
  std::int32_t waiting() const {
    return queues_[0].size() + queues_[1].size() + static_cast<std::int32_t>(followers_.size());
  }
  std::int64_t preemptions() const { return preemptions_; }

 private:
  double step_cost_max() const;
  double ahead_max() const;
  FairQueue& queue_of(const Sequence& sequence);
  const FairQueue& queue_of(const Sequence& sequence) const;
  Sequence* next_waiting() const;
  void begin_step();
  void make_room();
  bool give_way(const Sequence& next);
  bool rests(const Sequence& sequence) const;
  bool yields(const Sequence& sequence, const Sequence& next) const;
  void extend_decodes();
  void extend_and_start_prompts();
  void add_chunk(Sequence& sequence, std::int32_t tokens);
  void release(Sequence& sequence);
  void take_cached(Sequence& sequence);
  void give_up_pin(Sequence& sequence);
  void preempt(Sequence& sequence);
  bool outgrows_short_rope(std::size_t tokens) const;
  void begin_again_with_long_rope(Sequence& sequence);
  std::int32_t chunk_tokens(const Sequence& sequence) const;
  std::int32_t cached_tokens_max(const Sequence& sequence) const;
  void extend(Sequence& sequence);
  bool start(Sequence& sequence);
  bool fits(const Sequence& sequence) const;
  bool has_room(Sequence& sequence);
  // Pages for `tokens` more, by rule 3. False where even then there are not enough.
  bool reserve(Sequence& sequence, std::int32_t tokens, bool may_preempt);
  bool reclaim_from_waiting(const Sequence& needy);
  void free_followers(const Sequence& leader);
  void advance(Sequence& sequence, std::int32_t tokens);

  PrefixCache cache_;
  const SchedulerOptions options_;
  const std::int32_t running_max_;
  std::vector<Sequence*> running_;      // as goes_before() orders them when a plan begins
  std::array<FairQueue, 2> queues_;     // by service class
  std::vector<Sequence*> followers_;    // whose leader still computes their prompt
  std::array<double, 2> rest_above_{};  // of this step: the counter from which on a tenant rests
  std::uint64_t arrivals_ = 0;
  std::vector<ScheduledChunk> chunks_;  // of the step that plan() made
  std::vector<Sequence*> prompts_;      // of the step that it makes
  std::int32_t budget_ = 0;             // left of it
  bool grown_over_others_ = false;      // it preempted for a page
  std::size_t may_give_way_ = 0;        // sequences, so that each does once at most
  std::int64_t preemptions_ = 0;
};

}  // namespace plinth::engine
