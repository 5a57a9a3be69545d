#include "engine/sched/scheduler.h"

#include <algorithm>

#include "base/units.h"
#include "engine/limits.h"

namespace plinth::engine {

namespace {

std::size_t pages_for(std::int32_t tokens) {
  return static_cast<std::size_t>(base::ceil_div(tokens, std::int32_t{kBlockTokens}));
}

bool is_prompt(const Sequence& sequence, std::int32_t tokens) {
  return sequence.computed + tokens <= sequence.prompt_tokens;
}

constexpr auto earlier = [](const Sequence* a, const Sequence* b) { return goes_before(*a, *b); };

}  // namespace

Scheduler::Scheduler(std::int32_t blocks, const SchedulerOptions& options)
    : cache_(blocks, options.cache),
      options_(options),
      running_max_(std::min(options.sequences_max, options.step_tokens_max)),
      queues_{FairQueue(options.costs, std::min(kCreditSteps * step_cost_max(), ahead_max())),
              FairQueue(options.costs, std::min(kCreditSteps * step_cost_max(), ahead_max()))} {
  CHECK(blocks > 0 && running_max_ > 0);
}

FairQueue& Scheduler::queue_of(const Sequence& sequence) {
  return queues_[static_cast<std::size_t>(sequence.owner.service_class)];
}

const FairQueue& Scheduler::queue_of(const Sequence& sequence) const {
  return queues_[static_cast<std::size_t>(sequence.owner.service_class)];
}

Sequence* Scheduler::next_waiting() const {
  Sequence* standard = queues_[0].front();
  return standard != nullptr ? standard : queues_[1].front();
}

void Scheduler::add(Sequence& sequence, Sequence* leader) {
  sequence.arrival = ++arrivals_;
  sequence.leader = leader;
  sequence.scope.long_rope = outgrows_short_rope(sequence.tokens.size());
  queue_of(sequence).join(sequence);
  if (leader != nullptr)
    followers_.push_back(&sequence);
  else
    queue_of(sequence).push(sequence, true);
}

void Scheduler::release(Sequence& sequence) {
  cache_.release(sequence.blocks);
  sequence.blocks.clear();
  sequence.published = 0;
  sequence.computed = 0;
}

void Scheduler::remove(Sequence& sequence) {
  release(sequence);
  give_up_pin(sequence);
  if (sequence.tenant == nullptr) return;
  queue_of(sequence).pop(sequence);
  queue_of(sequence).leave(sequence);
  sequence.running = false;
  for (auto* list : {&running_, &followers_}) std::erase(*list, &sequence);
  free_followers(sequence);
}

void Scheduler::preempt(Sequence& sequence) {
  release(sequence);
  std::erase(running_, &sequence);
  sequence.running = false;
  queue_of(sequence).push(sequence);
  ++preemptions_;
}

bool Scheduler::outgrows_short_rope(std::size_t tokens) const {
  return static_cast<std::int64_t>(tokens) > options_.short_rope_tokens_max;
}

Pin Scheduler::pin(const std::string& salt, const std::string& adapter,
                   std::span<const std::int32_t> prompt, base::TimePoint now) {
  CacheScope scope;
  scope.salt = salt;
  scope.adapter = adapter;
  scope.long_rope = outgrows_short_rope(prompt.size());
  return cache_.pin(scope, prompt, static_cast<std::int32_t>(prompt.size()) - 1, now);
}

void Scheduler::give_up_pin(Sequence& sequence) { cache_.unpin(std::exchange(sequence.pin, 0)); }

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
    queue_of(sequence).push(sequence);
  }
  followers_.erase(freed, followers_.end());
}

bool Scheduler::reclaim_from_waiting(const Sequence& needy) {
  Sequence* last = nullptr;
  for (const auto& queue : queues_) {
    for (const Tenant* tenant : queue.tenants()) {
      for (Sequence* sequence : tenant->waiting) {
        if (sequence == &needy || sequence->blocks.empty()) continue;
        if (last == nullptr || goes_before(*last, *sequence)) last = sequence;
      }
    }
  }
  if (last == nullptr) return false;
  release(*last);
  return true;
}

bool Scheduler::reserve(Sequence& sequence, std::int32_t tokens, bool may_preempt) {
  const auto need = pages_for(sequence.computed + tokens);
  while (sequence.blocks.size() < need) {
    if (const auto block = cache_.take()) {
      sequence.blocks.push_back(*block);
    } else if (!reclaim_from_waiting(sequence)) {
      if (!may_preempt || running_.back() == &sequence) return false;
      grown_over_others_ = true;
      preempt(*running_.back());
    }
  }
  return true;
}

void Scheduler::add_chunk(Sequence& sequence, std::int32_t tokens) {
  chunks_.push_back({&sequence, tokens, is_prompt(sequence, tokens), false});
  budget_ -= tokens;
  // Where nobody waits there is no turn to choose.
  if (queues_[0].size() + queues_[1].size() > 0) queue_of(sequence).plan(sequence, tokens);
}

void Scheduler::extend(Sequence& sequence) {
  const auto tokens = chunk_tokens(sequence);
  // The last of all and no page left: it steps back until another one ends.
  if (!reserve(sequence, tokens, true)) {
    grown_over_others_ = true;
    return preempt(sequence);
  }
  add_chunk(sequence, tokens);
}

bool Scheduler::fits(const Sequence& sequence) const {
  const auto pages = static_cast<std::int32_t>(
      pages_for(static_cast<std::int32_t>(sequence.tokens.size())) + 1 - sequence.blocks.size());
  return pages <= cache_.available() || running_.empty();
}

// Whether it could start, were there a place.
bool Scheduler::has_room(Sequence& sequence) {
  const bool looked_up = sequence.blocks.empty();
  if (looked_up) take_cached(sequence);
  const bool room = fits(sequence);
  if (looked_up) release(sequence);
  return room;
}

bool Scheduler::start(Sequence& sequence) {
  if (running() >= running_max_) return false;
  const bool looked_up = sequence.blocks.empty();
  if (looked_up) take_cached(sequence);
  if (!fits(sequence)) {
    if (looked_up) release(sequence);
    return false;
  }
  const auto tokens = chunk_tokens(sequence);
  if (looked_up) cache_.count_found(sequence.blocks);
  // There is room, or nothing runs and the pool holds any one sequence.
  CHECK(reserve(sequence, tokens, false));
  queue_of(sequence).pop(sequence);
  running_.insert(std::upper_bound(running_.begin(), running_.end(), &sequence, earlier),
                  &sequence);
  sequence.running = true;
  if (!sequence.started && looked_up) sequence.cached = sequence.computed;
  give_up_pin(sequence);
  add_chunk(sequence, tokens);
  return true;
}

double Scheduler::service_bound() const {
  return static_cast<double>(std::max(options_.costs.prompt, options_.costs.output)) *
         cache_.total() * kBlockTokens;
}

// What one step can cost at most: each of its tokens as much as the dearest, and each sequence
// samples one.
double Scheduler::step_cost_max() const {
  const auto& costs = options_.costs;
  const auto tokens = std::min(options_.step_tokens_max, cache_.total() * kBlockTokens);
  return static_cast<double>(std::max(costs.prompt, costs.output)) * tokens +
         static_cast<double>(costs.output) * std::min(running_max_, cache_.total());
}

// From here on one more step could lead past the bound.
double Scheduler::ahead_max() const {
  return std::max(service_bound() - step_cost_max(), service_bound() / 2);
}

void Scheduler::begin_step() {
  chunks_.clear();
  budget_ = options_.step_tokens_max;
  grown_over_others_ = false;
  may_give_way_ = running_.size();
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    rest_above_[i] = queues_[i].least() + ahead_max();
    for (Tenant* tenant : queues_[i].tenants()) tenant->planned = 0;
  }
  for (auto* sequence : running_) {
    sequence->tenant->planned = 0;
    if (!sequence->scope.long_rope && outgrows_short_rope(sequence->tokens.size()))
      begin_again_with_long_rope(*sequence);
  }
  if (!std::is_sorted(running_.begin(), running_.end(), earlier))
    std::sort(running_.begin(), running_.end(), earlier);
}

bool Scheduler::rests(const Sequence& sequence) const {
  return sequence.tenant->counter >
         rest_above_[static_cast<std::size_t>(sequence.owner.service_class)];
}

// Whether the running sequence gives way to one that waits.
bool Scheduler::yields(const Sequence& sequence, const Sequence& next) const {
  if (sequence.owner.service_class != next.owner.service_class)
    return sequence.owner.service_class == protocol::ServiceClass::batch;
  return rests(sequence);
}

void Scheduler::make_room() {
  Sequence* next = next_waiting();
  if (next == nullptr) return;
  while (!running_.empty() && yields(*running_.back(), *next) &&
         (running() >= running_max_ || !has_room(*next))) {
    preempt(*running_.back());
  }
}

// One place or more pages for who is next, though the plan had them for another. False where that
// is not to be.
bool Scheduler::give_way(const Sequence& next) {
  if (may_give_way_ == 0 || running_.empty() || !yields(*running_.back(), next)) return false;
  --may_give_way_;
  Sequence& last = *running_.back();
  // It may start again in this very step.
  std::erase_if(chunks_, [&](const ScheduledChunk& chunk) {
    if (chunk.sequence != &last) return false;
    budget_ += chunk.tokens;
    return true;
  });
  std::replace(prompts_.begin(), prompts_.end(), &last, static_cast<Sequence*>(nullptr));
  preempt(last);
  return true;
}

void Scheduler::extend_decodes() {
  prompts_.clear();
  for (std::size_t i = 0; i < running_.size() && budget_ > 0; ++i) {
    Sequence& sequence = *running_[i];
    if (rests(sequence)) continue;
    // Preemption takes from the end: what is before i stays where it is.
    if (sequence.missing() == 1)
      extend(sequence);
    else
      prompts_.push_back(&sequence);
  }
}

void Scheduler::extend_and_start_prompts() {
  bool blocked = false;
  for (std::size_t at = 0; budget_ > 0;) {
    // Preempted by one before it.
    while (at < prompts_.size() && (prompts_[at] == nullptr || !prompts_[at]->running)) ++at;
    Sequence* prompt = at < prompts_.size() ? prompts_[at] : nullptr;
    Sequence* fresh = blocked || grown_over_others_ ? nullptr : next_waiting();
    if (fresh != nullptr && (prompt == nullptr || has_turn_before(*fresh, *prompt))) {
      blocked = !start(*fresh) && !give_way(*fresh);
    } else if (prompt != nullptr) {
      extend(*prompt);
      ++at;
    } else {
      break;
    }
  }
}

std::vector<ScheduledChunk>& Scheduler::plan() {
  begin_step();
  make_room();
  extend_decodes();
  extend_and_start_prompts();
  // A chunk whose sequence was preempted later in the plan has no pages any more.
  std::erase_if(chunks_, [](const ScheduledChunk& chunk) { return !chunk.sequence->running; });
  for (auto& chunk : chunks_) chunk.first = !std::exchange(chunk.sequence->started, true);
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
    const auto block = cache_.take_unpinned();
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
  queue_of(sequence).charge(sequence, tokens);
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
