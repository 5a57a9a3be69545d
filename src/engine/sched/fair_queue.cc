#include "engine/sched/fair_queue.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/check.h"
#include "engine/limits.h"

namespace plinth::engine {

namespace {

bool older(const Sequence* a, const Sequence* b) { return a->arrival < b->arrival; }

bool in_order(const Sequence& a, double a_served, const Sequence& b, double b_served) {
  return std::tie(a.owner.service_class, a_served, a.arrival) <
         std::tie(b.owner.service_class, b_served, b.arrival);
}

}  // namespace

void FairQueue::join(Sequence& sequence) {
  const auto [found, fresh] = tenants_.try_emplace(sequence.owner.tenant);
  Tenant& tenant = found->second;
  if (fresh)
    tenant.id = sequence.owner.tenant;
  else if (tenant.sequences == 0)
    --idle_;
  tenant.weight = std::max(sequence.owner.weight, 1);
  ++tenant.sequences;
  ++sequences_;
  sequence.tenant = &tenant;
}

void FairQueue::leave(Sequence& sequence) {
  Tenant& tenant = *std::exchange(sequence.tenant, nullptr);
  --sequences_;
  if (--tenant.sequences > 0) return;
  CHECK(tenant.waiting.empty());
  ++idle_;
  if (sequences_ == 0) {
    tenants_.clear();
    idle_ = 0;
    floor_ = 0;
  } else if (idle_ > static_cast<std::size_t>(kIdleTenantsMax)) {
    forget_idle();
  }
}

// An account that the lift would raise anyway says nothing. Where all say something, the one that
// says least goes.
void FairQueue::forget_idle() {
  const double lifted = lift();
  idle_ -= std::erase_if(tenants_, [&](const auto& entry) {
    return entry.second.sequences == 0 && entry.second.counter <= lifted;
  });
  if (idle_ <= static_cast<std::size_t>(kIdleTenantsMax)) return;
  auto least = tenants_.end();
  for (auto it = tenants_.begin(); it != tenants_.end(); ++it) {
    if (it->second.sequences > 0) continue;
    if (least == tenants_.end() || it->second.counter < least->second.counter) least = it;
  }
  tenants_.erase(least);
  --idle_;
}

// The greatest counter of those that have sequences.
double FairQueue::most() const {
  double most = 0;
  for (const auto& [id, tenant] : tenants_) {
    if (tenant.sequences > 0) most = std::max(most, tenant.counter);
  }
  return most;
}

double FairQueue::lift() const { return queued_.empty() ? std::max(floor_, most()) : least(); }

void FairQueue::push(Sequence& sequence, bool arrives) {
  Tenant& tenant = *sequence.tenant;
  if (tenant.waiting.empty()) {
    const bool alone = arrives && tenant.sequences == 1;
    tenant.counter = std::max(tenant.counter, alone ? lift() : most() - credit_max_);
    tenant.planned = 0;
    queued_.push_back(&tenant);
  }
  tenant.waiting.insert(
      std::upper_bound(tenant.waiting.begin(), tenant.waiting.end(), &sequence, older), &sequence);
  ++waiting_;
}

void FairQueue::pop(Sequence& sequence) {
  Tenant& tenant = *sequence.tenant;
  const auto found = std::find(tenant.waiting.begin(), tenant.waiting.end(), &sequence);
  if (found == tenant.waiting.end()) return;
  floor_ = std::max(floor_, least());
  tenant.waiting.erase(found);
  --waiting_;
  if (tenant.waiting.empty()) std::erase(queued_, &tenant);
}

Sequence* FairQueue::front() const {
  Sequence* first = nullptr;
  for (const Tenant* tenant : queued_) {
    Sequence* oldest = tenant->waiting.front();
    if (first == nullptr || has_turn_before(*oldest, *first)) first = oldest;
  }
  return first;
}

double FairQueue::least() const {
  double least = std::numeric_limits<double>::infinity();
  for (const Tenant* tenant : queued_) least = std::min(least, tenant->counter);
  return least;
}

double FairQueue::cost(const Sequence& sequence, std::int32_t tokens) const {
  const auto from = std::max(sequence.computed, sequence.charged);
  const auto to = std::min(sequence.computed + tokens, sequence.prompt_tokens);
  const double prompt = std::max(0, to - from);
  const double output = tokens == sequence.missing() ? 1 : 0;
  return (prompt * costs_.prompt + output * costs_.output) / sequence.tenant->weight;
}

void FairQueue::plan(const Sequence& sequence, std::int32_t tokens) const {
  sequence.tenant->planned += cost(sequence, tokens);
}

void FairQueue::charge(Sequence& sequence, std::int32_t tokens) const {
  sequence.tenant->counter += cost(sequence, tokens);
  sequence.charged = std::max(sequence.charged, sequence.computed + tokens);
}

bool goes_before_another_tenants(const Sequence& a, const Sequence& b) {
  return in_order(a, a.tenant->counter, b, b.tenant->counter);
}

bool has_turn_before(const Sequence& a, const Sequence& b) {
  return in_order(a, a.tenant->counter + a.tenant->planned, b,
                  b.tenant->counter + b.tenant->planned);
}

}  // namespace plinth::engine
