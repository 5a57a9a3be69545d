#include "engine/sched/scheduler.h"

#include <algorithm>

#include "base/units.h"

namespace plinth::engine {

namespace {

std::size_t pages_for(std::int32_t tokens) {
  return static_cast<std::size_t>(base::ceil_div(tokens, std::int32_t{kBlockTokens}));
}

bool is_prompt(const Sequence& sequence, std::int32_t tokens) {
  return sequence.computed + tokens <= sequence.prompt_tokens;
}

void insert_by_arrival(std::vector<Sequence*>& list, Sequence& sequence) {
  const auto place = std::upper_bound(
      list.begin(), list.end(), &sequence,
      [](const Sequence* a, const Sequence* b) { return a->arrival < b->arrival; });
  list.insert(place, &sequence);
}

}  // namespace

Scheduler::Scheduler(std::int32_t blocks, const SchedulerOptions& options)
    : cache_(blocks, options.cache),
      options_(options),
      running_max_(std::min(options.sequences_max, options.step_tokens_max)) {
  CHECK(blocks > 0 && running_max_ > 0);
}

void Scheduler::add(Sequence& sequence, Sequence* leader) {
  sequence.arrival = ++arrivals_;
  sequence.leader = leader;
  sequence.scope.long_rope = outgrows_short_rope(sequence);
  if (leader != nullptr)
    followers_.push_back(&sequence);
  else
    waiting_.push_back(&sequence);
}

void Scheduler::release(Sequence& sequence) {
  cache_.release(sequence.blocks);
  sequence.blocks.clear();
  sequence.published = 0;
  sequence.computed = 0;
}

void Scheduler::remove(Sequence& sequence) {
  release(sequence);
  for (auto* list : {&running_, &waiting_, &followers_}) std::erase(*list, &sequence);
  free_followers(sequence);
}

void Scheduler::preempt(Sequence& sequence) {
  release(sequence);
  std::erase(running_, &sequence);
  insert_by_arrival(waiting_, sequence);
  ++preemptions_;
}

bool Scheduler::outgrows_short_rope(const Sequence& sequence) const {
  return static_cast<std::int64_t>(sequence.tokens.size()) > options_.short_rope_tokens_max;
}

void Scheduler::begin_again_with_long_rope(Sequence& sequence) {
  release(sequence);
  sequence.scope.long_rope = true;
  take_cached(sequence);
}

// Tokens of the sequence that the cache may have.
std::int32_t Scheduler::cached_tokens_max(const Sequence& sequence) const {
  return options_.prompts_apart ? sequence.prompt_tokens : INT32_MAX;
}

// Of the next chunk.
std::int32_t Scheduler::chunk_tokens(const Sequence& sequence) const {
  const auto tokens = std::min({sequence.missing(), budget_, sequence.chunk_tokens_max});
  const auto prompt = sequence.prompt_tokens - sequence.computed;
  return options_.prompts_apart && prompt > 0 ? std::min(tokens, prompt) : tokens;
}

// A sequence without pages starts from those that the cache has of its tokens.
void Scheduler::take_cached(Sequence& sequence) {
  const auto most = std::min({static_cast<std::int32_t>(sequence.tokens.size()) - 1,
                              sequence.cache_reads_max, cached_tokens_max(sequence)});
  sequence.blocks = cache_.match(sequence.scope, sequence.tokens, most);
  sequence.published = sequence.blocks.size();
  sequence.computed = static_cast<std::int32_t>(sequence.blocks.size()) * kBlockTokens;
}

// The leader has computed its prompt, or was removed: who waited for it starts from its pages.
void Scheduler::free_followers(const Sequence& leader) {
  const auto freed =
      std::stable_partition(followers_.begin(), followers_.end(),
                            [&](const Sequence* sequence) { return sequence->leader != &leader; });
  for (auto it = freed; it != followers_.end(); ++it) {
    Sequence& sequence = **it;
    // At least one token is left to compute: its logits are wanted.
    const auto pages =
        std::min(leader.blocks.size(),
                 static_cast<std::size_t>((sequence.prompt_tokens - 1) / kBlockTokens));
    sequence.leader = nullptr;
    sequence.blocks.assign(leader.blocks.begin(),
                           leader.blocks.begin() + static_cast<std::ptrdiff_t>(pages));
    cache_.share(sequence.blocks);
    sequence.published = pages;
    sequence.computed = static_cast<std::int32_t>(pages) * kBlockTokens;
    insert_by_arrival(waiting_, sequence);
  }
  followers_.erase(freed, followers_.end());
}

bool Scheduler::reclaim_from_waiting(const Sequence& needy) {
  for (auto it = waiting_.rbegin(); it != waiting_.rend(); ++it) {
    if (*it == &needy || (*it)->blocks.empty()) continue;
    release(**it);
    return true;
  }
  return false;
}

bool Scheduler::reserve(Sequence& sequence, std::int32_t tokens, bool may_preempt) {
  const auto need = pages_for(sequence.computed + tokens);
  while (sequence.blocks.size() < need) {
    if (const auto block = cache_.take()) {
      sequence.blocks.push_back(*block);
    } else if (!reclaim_from_waiting(sequence)) {
      if (!may_preempt || running_.back() == &sequence) return false;
      preempt(*running_.back());
    }
  }
  return true;
}

void Scheduler::extend(Sequence& sequence) {
  const auto tokens = chunk_tokens(sequence);
  // The youngest of all and no page left: it steps back until an older one ends.
  if (!reserve(sequence, tokens, true)) return preempt(sequence);
  chunks_.push_back({&sequence, tokens, is_prompt(sequence, tokens), false});
  budget_ -= tokens;
}

bool Scheduler::start(Sequence& sequence) {
  const bool looked_up = sequence.blocks.empty();
  if (looked_up) take_cached(sequence);
  const auto tokens = chunk_tokens(sequence);
  const auto pages = static_cast<std::int32_t>(
      pages_for(static_cast<std::int32_t>(sequence.tokens.size())) + 1 - sequence.blocks.size());
  const bool room = pages <= cache_.available() || running_.empty();
  if (!room) {
    if (looked_up) release(sequence);
    return false;
  }
  if (looked_up) cache_.count_found(sequence.blocks);
  // There is room, or nothing runs and the pool holds any one sequence.
  CHECK(reserve(sequence, tokens, false));
  std::erase(waiting_, &sequence);
  insert_by_arrival(running_, sequence);
  if (!sequence.started && looked_up) sequence.cached = sequence.computed;
  chunks_.push_back(
      {&sequence, tokens, is_prompt(sequence, tokens), !std::exchange(sequence.started, true)});
  budget_ -= tokens;
  return true;
}

std::vector<ScheduledChunk>& Scheduler::plan() {
  chunks_.clear();
  budget_ = options_.step_tokens_max;
  for (auto* sequence : running_) {
    if (!sequence->scope.long_rope && outgrows_short_rope(*sequence))
      begin_again_with_long_rope(*sequence);
  }
  const auto preemptions = preemptions_;
  for (const bool decodes : {true, false}) {
    for (std::size_t i = 0; i < running_.size() && budget_ > 0; ++i) {
      // Preemption takes from the end: what is before i stays where it is.
      if ((running_[i]->missing() == 1) == decodes) extend(*running_[i]);
    }
  }
  // A chunk whose sequence was preempted by an older one later in the plan has no pages any more.
  std::erase_if(chunks_, [&](const ScheduledChunk& chunk) {
    return std::find(running_.begin(), running_.end(), chunk.sequence) == running_.end();
  });
  while (budget_ > 0 && preemptions_ == preemptions && !waiting_.empty() &&
         running() < running_max_) {
    if (!start(*waiting_.front())) break;
  }
  return chunks_;
}

void Scheduler::add_drafts(ScheduledChunk& chunk, std::int32_t tokens) {
  Sequence& sequence = *chunk.sequence;
  const auto length = static_cast<std::int32_t>(sequence.tokens.size());
  CHECK(chunk.drafts == 0 && chunk.tokens == sequence.missing());
  // A longer sequence computes all its keys again: what goes past that point is not verified here.
  if (!sequence.scope.long_rope) tokens = std::min(tokens, options_.short_rope_tokens_max - length);
  tokens = std::min(tokens, budget_);
  while (sequence.blocks.size() < pages_for(length + tokens)) {
    const auto block = cache_.take();
    if (!block) break;
    sequence.blocks.push_back(*block);
  }
  const auto room = static_cast<std::int32_t>(sequence.blocks.size()) * kBlockTokens - length;
  chunk.drafts = std::max(0, std::min(tokens, room));
  budget_ -= chunk.drafts;
}

void Scheduler::commit(const ScheduledChunk& chunk) { advance(*chunk.sequence, chunk.tokens); }

void Scheduler::keep_draft(Sequence& sequence) {
  CHECK(sequence.missing() == 1);
  advance(sequence, 1);
}

void Scheduler::drop_drafts(Sequence& sequence) {
  const auto needed = pages_for(static_cast<std::int32_t>(sequence.tokens.size()));
  if (sequence.blocks.size() <= needed) return;
  cache_.release(std::span<const BlockId>(sequence.blocks).subspan(needed));
  sequence.blocks.resize(needed, BlockId(-1));
}

void Scheduler::advance(Sequence& sequence, std::int32_t tokens) {
  sequence.computed += tokens;
  const auto kept = std::min(sequence.computed, cached_tokens_max(sequence));
  const auto full = static_cast<std::size_t>(kept / kBlockTokens);
  if (full > sequence.published) {
    cache_.publish(sequence.scope,
                   std::span<const std::int32_t>(sequence.tokens).first(full * kBlockTokens),
                   std::span<BlockId>(sequence.blocks).first(full), sequence.published);
    sequence.published = full;
  }
  if (sequence.computed >= sequence.prompt_tokens) free_followers(sequence);
}

}  // namespace plinth::engine
