// Which sequences run in the next step, and with which pages: continuous batching with chunked
// prefill, and preemption by recompute. Yu et al., "Orca", OSDI 2022; Kwon et al., "Efficient
// memory management for LLM serving with PagedAttention", SOSP 2023; Agrawal et al.,
// "Sarathi-Serve", 2024.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "engine/kv/block_pool.h"
#include "engine/sched/sequence.h"

namespace plinth::engine {

struct SchedulerOptions {
  std::int32_t step_tokens_max = 512;
  std::int32_t sequences_max = 256;
};

struct ScheduledChunk {
  Sequence* sequence = nullptr;
  std::int32_t tokens = 0;  // from sequence->computed on
};

// One owner thread. Holds pointers to sequences between add() and remove().
class Scheduler {
 public:
  Scheduler(std::int32_t blocks, const SchedulerOptions& options)
      : pool_(blocks), options_(options) {}
  void add(Sequence& sequence) { waiting_.push_back(&sequence); }
  // Frees its pages at once.
  void remove(Sequence& sequence);
  // The chunks of the next step, oldest first: decodes before prefills. Every chunk's sequence has
  // pages for computed + tokens. Empty only where nothing is left to run.
  std::vector<ScheduledChunk> plan();

  const BlockPool& pool() const { return pool_; }
  std::int32_t running() const { return static_cast<std::int32_t>(running_.size()); }
  std::int32_t waiting() const { return static_cast<std::int32_t>(waiting_.size()); }
  std::int64_t preemptions() const { return preemptions_; }
  // Pages that were freed since the last call, to be cleared before anyone gets them.
  std::vector<BlockId> take_freed() { return std::exchange(freed_, {}); }

 private:
  void release(Sequence& sequence);
  // Pages for `tokens` more; younger sequences give theirs up for it. False where even then
  // there are not enough.
  bool reserve(Sequence& sequence, std::int32_t tokens, bool may_preempt);

  BlockPool pool_;
  const SchedulerOptions options_;
  std::vector<Sequence*> running_;  // oldest first
  std::deque<Sequence*> waiting_;
  std::vector<BlockId> freed_;
  std::int64_t preemptions_ = 0;
};

}  // namespace plinth::engine
