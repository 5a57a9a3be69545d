#include "engine/sched/scheduler.h"

#include <algorithm>

#include "base/units.h"

namespace plinth::engine {

void Scheduler::release(Sequence& sequence) {
  for (const BlockId block : sequence.blocks) {
    pool_.give(block);
    freed_.push_back(block);
  }
  sequence.blocks.clear();
  sequence.computed = 0;
}

void Scheduler::remove(Sequence& sequence) {
  release(sequence);
  std::erase(running_, &sequence);
  std::erase(waiting_, &sequence);
}

bool Scheduler::reserve(Sequence& sequence, std::int32_t tokens, bool may_preempt) {
  const auto need = static_cast<std::size_t>(
      base::ceil_div(sequence.computed + tokens, static_cast<std::int32_t>(kBlockTokens)));
  while (sequence.blocks.size() < need) {
    if (const auto block = pool_.take()) {
      sequence.blocks.push_back(*block);
      continue;
    }
    if (!may_preempt || running_.empty() || running_.back() == &sequence) return false;
    Sequence* youngest = running_.back();
    running_.pop_back();
    release(*youngest);
    waiting_.push_front(youngest);
    ++preemptions_;
  }
  return true;
}

std::vector<ScheduledChunk> Scheduler::plan() {
  std::vector<ScheduledChunk> chunks;
  std::int32_t budget = options_.step_tokens_max;
  const auto missing = [](const Sequence& sequence) {
    return static_cast<std::int32_t>(sequence.tokens.size()) - sequence.computed;
  };
  for (const bool decodes : {true, false}) {
    for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
      Sequence* sequence = running_[i];
      const std::int32_t left = missing(*sequence);
      if ((left == 1) != decodes) continue;
      const std::int32_t tokens = std::min(left, budget);
      if (!reserve(*sequence, tokens, true)) {
        // The youngest of all and no page left: it steps back until an older one ends.
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        release(*sequence);
        waiting_.push_front(sequence);
        ++preemptions_;
        break;
      }
      chunks.push_back({sequence, tokens});
      budget -= tokens;
    }
  }
  // A chunk whose sequence was preempted by an older one later in the plan has no pages any more.
  std::erase_if(chunks, [&](const ScheduledChunk& chunk) {
    return std::find(running_.begin(), running_.end(), chunk.sequence) == running_.end();
  });
  while (budget > 0 && !waiting_.empty() && running() < options_.sequences_max) {
    Sequence* sequence = waiting_.front();
    // Room for its whole text and one more page, so that admission does not preempt at once.
    const auto pages =
        base::ceil_div(missing(*sequence), static_cast<std::int32_t>(kBlockTokens)) + 1;
    if (pages > pool_.available() && !running_.empty()) break;
    const std::int32_t tokens = std::min(missing(*sequence), budget);
    if (!reserve(*sequence, tokens, false)) {
      release(*sequence);
      break;
    }
    waiting_.pop_front();
    running_.push_back(sequence);
    chunks.push_back({sequence, tokens});
    budget -= tokens;
  }
  return chunks;
}

}  // namespace plinth::engine
