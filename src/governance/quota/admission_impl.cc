#include "governance/quota/admission_impl.h"

#include <algorithm>
#include <iterator>

#include "governance/limits.h"

namespace plinth::governance {

namespace {

absl::Status away() {
  return base::unavailable(
      "The database that keeps limits and budgets cannot be reached; the request may be tried "
      "again.");
}

absl::Status lapsed() {
  return base::unavailable("This gateway was away for too long; the request may be tried again.");
}

}  // namespace

std::vector<Admission::Impl::Part> Admission::Impl::parts_of(const Hold& hold, const Wish& wish) {
  std::vector<Part> parts;
  parts.reserve(hold.limits.size() + hold.budgets.size());
  if (wish.begins) {
    for (const auto& quota : hold.budgets) parts.push_back({quota.get(), 0, true});
    for (const auto& quota : hold.limits) {
      // Of tokens: that somebody asked, so that headers can tell.
      parts.push_back({quota.get(), quota->counts_requests() ? 1 : 0, quota->is_provisioned()});
    }
    return parts;
  }
  for (const auto& quota : hold.limits) {
    if (quota->counts_tokens()) parts.push_back({quota.get(), wish.tokens});
    if (quota->is_provisioned()) parts.push_back({quota.get(), wish.provisioned});
  }
  if (wish.pico == 0) return parts;
  for (const auto& quota : hold.budgets) parts.push_back({quota.get(), wish.pico});
  return parts;
}

Admission::Impl::HoldPtr Admission::Impl::hold_for(const Principal& principal,
                                                   const Demand& demand) {
  auto hold = std::make_shared<Hold>();
  hold->lease = lease;
  hold->model = demand.model;
  hold->output_weight = demand.output_weight;
  hold->price = prices.at(demand.model, demand.service_class, clock.unix_seconds());
  const auto add = [&](std::string_view kind, std::string_view scope) {
    if (scope.empty()) return;
    for (const std::string_view model : {std::string_view(demand.model), std::string_view()}) {
      if (demand.budgets_only) break;
      const auto& found = book.limits(place(kind, scope, model));
      hold->limits.insert(hold->limits.end(), found.begin(), found.end());
    }
    const auto& found = book.budgets(hold->payers.emplace_back(place(kind, scope, "")));
    hold->budgets.insert(hold->budgets.end(), found.begin(), found.end());
  };
  // The narrowest first: its refusal is the one that tells the caller most.
  add("deployment", demand.deployment);
  add("key", principal.key_id);
  add("project", principal.project);
  add("organization", principal.organization);
  return hold;
}

Fit Admission::Impl::attempt(Hold& hold, const Wish& wish, absl::Status& why) {
  const auto parts = parts_of(hold, wish);
  // Nothing is counted, so nobody has to be asked.
  if (parts.empty()) {
    hold.tokens += wish.tokens;
    return Fit::fits;
  }
  const auto now = machine.now();
  if (now >= lease_until) return Fit::ask;
  if (hold.lease != lease && hold.pico > 0) {
    why = lapsed();
    return Fit::refused;
  }
  bool asks = false;
  for (const auto& part : parts) {
    const auto fit = part.fit(now);
    asks |= fit == Fit::ask;
    if (fit != Fit::refused) continue;
    why = part.quota->refusal(part.amount, hold.model, now);
    return Fit::refused;
  }
  if (asks) return Fit::ask;
  hold.lease = lease;
  for (const auto& part : parts) {
    if (part.amount == 0) continue;
    part.quota->decay(now);
    part.quota->take(hold.id, part.amount);
    if (part.quota->is_low(now)) wake();
  }
  hold.tokens += wish.tokens;
  hold.pico += wish.pico;
  hold.provisioned += wish.provisioned;
  return Fit::fits;
}

void Admission::Impl::want(Hold& hold, const Wish& wish) {
  const auto now = machine.now();
  for (const auto& part : parts_of(hold, wish)) {
    if (part.fit(now) == Fit::ask) part.quota->want(part.amount);
  }
}

std::optional<absl::Status> Admission::Impl::attempt_or_wait(
    const HoldPtr& hold, const Wish& wish, const std::function<Reserved()>& done) {
  absl::Status why;
  switch (attempt(*hold, wish, why)) {
    case Fit::fits:
      return absl::OkStatus();
    case Fit::refused:
      return why;
    case Fit::ask:
      break;
  }
  if (is_away || closed || waiters.size() >= kBlockWaitersMax) return away();
  waiters.push_back({hold, wish, machine.now() + kBlockWait, done()});
  wake();
  return std::nullopt;
}

void Admission::Impl::end(const Hold& hold, const Wish& used) {
  for (const auto& quota : hold.limits) {
    quota->decay(machine.now());
    if (quota->counts_tokens()) {
      quota->settle(hold.id, hold.tokens, used.tokens);
    } else if (quota->is_provisioned()) {
      quota->settle(hold.id, hold.provisioned, used.provisioned);
    } else {
      quota->settle(hold.id, 1, 1);
    }
  }
  // Under another lease its blocks are gone, and the row charged none.
  const auto charged = hold.lease == lease ? used.pico : 0;
  for (const auto& payer : hold.payers) {
    for (const auto& quota : book.budgets(payer)) quota->settle(hold.id, 0, charged);
  }
}

std::vector<Admission::Impl::Waiter> Admission::Impl::drop(Hold& hold) {
  std::vector<Waiter> dropped;
  const auto first = std::stable_partition(waiters.begin(), waiters.end(), [&](const auto& waiter) {
    return waiter.hold.get() != &hold;
  });
  std::move(first, waiters.end(), std::back_inserter(dropped));
  waiters.erase(first, waiters.end());
  end(hold, {});
  return dropped;
}

void Admission::Impl::wake() {
  has_work = true;
  changed.notify_all();
}

void Admission::Impl::answer_waiters() {
  std::vector<std::pair<Reserved, absl::Status>> answers;
  {
    std::lock_guard lock(mutex);
    const auto now = machine.now();
    std::deque<Waiter> still;
    for (auto& waiter : waiters) {
      absl::Status why;
      const auto fit = attempt(*waiter.hold, waiter.wish, why);
      if (fit != Fit::ask) {
        answers.emplace_back(std::move(waiter.done), why);
      } else if (closed || now >= waiter.until) {
        answers.emplace_back(std::move(waiter.done), away());
      } else {
        still.push_back(std::move(waiter));
      }
    }
    waiters = std::move(still);
    has_work |= !waiters.empty() && !is_away;
  }
  for (auto& answer : answers) answer.first(answer.second);
}

void Admission::Impl::refuse_waiting() {
  std::deque<Waiter> refused;
  {
    std::lock_guard lock(mutex);
    refused.swap(waiters);
  }
  for (auto& waiter : refused) waiter.done(away());
}

}  // namespace plinth::governance
