#include "governance/admission.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "governance/limits.h"
#include "governance/quota/admission_impl.h"
#include "governance/quota/limit_rules.h"

namespace plinth::governance {

namespace {

bool is_provisioned(const Admission::Hold& hold) {
  return std::any_of(hold.limits.begin(), hold.limits.end(),
                     [](const auto& quota) { return quota->is_provisioned(); });
}

}  // namespace

Admission::Ticket::Ticket() = default;
Admission::Ticket::Ticket(Admission& admission, std::shared_ptr<Hold> hold)
    : admission_(&admission), hold_(std::move(hold)) {}
Admission::Ticket::Ticket(Ticket&& other) noexcept = default;

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
  std::swap(admission_, other.admission_);
  std::swap(hold_, other.hold_);
  return *this;
}

Admission::Ticket::~Ticket() {
  if (hold_ == nullptr) return;
  std::vector<Impl::Waiter> waited;
  std::lock_guard lock(admission_->impl_->mutex);
  waited = admission_->impl_->drop(*hold_);
}

const Price& Admission::Ticket::price() const { return hold_->price; }

store::Lease Admission::Ticket::lease() const {
  std::lock_guard lock(admission_->impl_->mutex);
  return hold_->lease;
}

Admission::Admission(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admission::~Admission() { close(); }

absl::StatusOr<std::unique_ptr<Admission>> Admission::create(store::LimitStore& limits,
                                                             store::LeaseStore& leases,
                                                             const base::Clock& clock,
                                                             Options options) {
  auto impl = std::make_unique<Impl>(limits, leases, clock, std::move(options));
  std::unique_ptr<Admission> made(new Admission(std::move(impl)));
  RETURN_IF_ERROR(made->exchange());
  RETURN_IF_ERROR(made->refresh());
  return made;
}

std::optional<absl::StatusOr<Admission::Ticket>> Admission::begin(const Principal& principal,
                                                                  const Demand& demand,
                                                                  Began later) {
  std::shared_ptr<Hold> hold;
  std::optional<absl::Status> status;
  {
    std::lock_guard lock(impl_->mutex);
    hold = impl_->hold_for(principal, demand);
    hold->id = ++impl_->last_hold;
    if (demand.output_weight > 0 && !is_provisioned(*hold)) {
      return base::unavailable(
          fmt::format("This gateway does not know the throughput of {} yet; the request may be "
                      "tried again.",
                      demand.deployment));
    }
    status = impl_->attempt_or_wait(hold, {true, 0, 0}, [&] {
      return [this, hold, later = std::move(later)](const absl::Status& outcome) {
        if (!outcome.ok()) return later(outcome);
        later(Ticket(*this, hold));
      };
    });
  }
  if (!status) return std::nullopt;
  if (!status->ok()) return *status;
  return Ticket(*this, std::move(hold));
}

std::optional<absl::Status> Admission::reserve(Ticket& ticket, const TokenCount& most,
                                               Reserved later) {
  CHECK(most.cached <= most.input);
  if (most.input + most.output > kTokensMax) {
    return base::invalid_argument(fmt::format(
        "A request or job takes {} tokens of prompts and answers together at most.", kTokensMax));
  }
  const auto& price = ticket.hold_->price;
  // More may turn out to be cached than is sure now.
  const auto tokens = most.input - most.cached + most.output;
  const auto pico = (most.input - most.cached) * std::max(price.input_pico, price.cached_pico) +
                    most.cached * price.cached_pico + most.output * price.output_pico;
  const auto provisioned = most.input - most.cached + most.output * ticket.hold_->output_weight;
  std::lock_guard lock(impl_->mutex);
  return impl_->attempt_or_wait(ticket.hold_, {false, tokens, pico, provisioned},
                                [&] { return std::move(later); });
}

void Admission::settle(Ticket ticket, const TokenCount& actual, std::int64_t amount_pico) {
  const auto hold = std::move(ticket.hold_);
  std::lock_guard lock(impl_->mutex);
  const auto input = actual.input - actual.cached;
  impl_->end(*hold, {false, input + actual.output, amount_pico,
                     input + actual.output * hold->output_weight});
}

void Admission::abandon(Ticket ticket) {
  const auto hold = std::move(ticket.hold_);
  std::lock_guard lock(impl_->mutex);
  for (const auto& quota : hold->budgets) quota->abandon(hold->id);
  impl_->end(*hold, {});
}

RateView Admission::view(const Principal& principal, const Demand& demand) {
  RateView view;
  const auto now = impl_->machine.now();
  std::lock_guard lock(impl_->mutex);
  const auto hold = impl_->hold_for(principal, demand);
  for (const auto& quota : hold->limits) {
    const bool requests = quota->resource() == Resource::requests_per_minute;
    if (!requests && quota->resource() != Resource::tokens_per_minute) continue;
    auto& rate = requests ? view.requests : view.tokens;
    auto remaining = quota->remaining(now);
    if (impl_->options.is_shared)
      remaining = now < impl_->lease_until ? quota->remaining_at_least() : 0;
    if (!rate || remaining < rate->remaining) rate = {quota->limit(), remaining, quota->reset(now)};
  }
  return view;
}

absl::StatusOr<std::int64_t> Admission::utilisation(const std::string& deployment) {
  const store::QuotaKey key{"deployment", deployment, "",
                            std::string(resource_name(Resource::provisioned_tokens)), false};
  ASSIGN_OR_RETURN(const auto look, impl_->leases.look(key));
  return percent_used(Quota(key, look.limit).shape(), look);
}

const base::Clock& Admission::clock() const { return impl_->clock; }

absl::Status Admission::refresh() {
  ASSIGN_OR_RETURN(const auto limits, impl_->limits.all_limits());
  ASSIGN_OR_RETURN(const auto budgets, impl_->limits.all_budgets(impl_->clock.unix_seconds()));
  ASSIGN_OR_RETURN(auto prices, impl_->limits.prices());
  std::lock_guard lock(impl_->mutex);
  impl_->book.replace(limits, budgets);
  impl_->prices = PriceBook(std::move(prices));
  return absl::OkStatus();
}

absl::Status Admission::set_limit(const store::LimitRow& row) {
  RETURN_IF_ERROR(check(row));
  RETURN_IF_ERROR(impl_->limits.set_limit(row));
  std::lock_guard lock(impl_->mutex);
  impl_->book.put(row);
  return absl::OkStatus();
}

absl::Status Admission::remove_limit(const store::LimitRow& row) {
  RETURN_IF_ERROR(impl_->limits.remove_limit(row));
  std::lock_guard lock(impl_->mutex);
  impl_->book.remove(row);
  return absl::OkStatus();
}

absl::Status Admission::set_budget(const store::BudgetRow& row) {
  RETURN_IF_ERROR(check(row));
  RETURN_IF_ERROR(impl_->limits.set_budget(row, impl_->clock.unix_seconds()));
  std::lock_guard lock(impl_->mutex);
  impl_->book.put(row);
  return absl::OkStatus();
}

absl::Status Admission::remove_budget(const store::BudgetRow& row) {
  RETURN_IF_ERROR(impl_->limits.remove_budget(row));
  std::lock_guard lock(impl_->mutex);
  impl_->book.remove(row);
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> Admission::insert_price(const store::PriceRow& row) {
  RETURN_IF_ERROR(check(row));
  ASSIGN_OR_RETURN(const auto version, impl_->limits.insert_price(row));
  ASSIGN_OR_RETURN(auto prices, impl_->limits.prices());
  std::lock_guard lock(impl_->mutex);
  impl_->prices = PriceBook(std::move(prices));
  return version;
}

}  // namespace plinth::governance
