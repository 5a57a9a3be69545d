#include "governance/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "governance/limits.h"
#include "governance/money.h"
#include "governance/quota/gauge.h"
#include "governance/quota/purse.h"

namespace plinth::governance {

namespace {

constexpr std::array<std::string_view, 5> kResources{"requests_per_minute", "tokens_per_minute",
                                                     "requests_per_day", "parallel_requests",
                                                     "queued_tokens"};

constexpr std::array<std::string_view, 4> kScopeKinds{"organization", "project", "key",
                                                      "deployment"};

bool counts_requests(Resource resource) {
  return resource == Resource::requests_per_minute || resource == Resource::requests_per_day ||
         resource == Resource::parallel_requests;
}
bool counts_tokens(Resource resource) {
  return resource == Resource::tokens_per_minute || resource == Resource::queued_tokens;
}

// Ids hold no newline.
std::string place(std::string_view kind, std::string_view scope, std::string_view model) {
  return fmt::format("{}\n{}\n{}", kind, scope, model);
}

absl::Status check(const store::LimitRow& row) {
  if (std::find(kScopeKinds.begin(), kScopeKinds.end(), row.scope_kind) == kScopeKinds.end()) {
    return base::invalid_argument(
        fmt::format("'{}' is not one of {}", row.scope_kind, fmt::join(kScopeKinds, ", ")));
  }
  if (!resource_named(row.resource)) {
    return base::invalid_argument(
        fmt::format("'{}' is not one of {}", row.resource, fmt::join(kResources, ", ")));
  }
  if (row.amount < 0 || row.amount > kLimitMax) {
    return base::invalid_argument(
        fmt::format("{} is a number from 0 to {}", row.resource, kLimitMax));
  }
  return absl::OkStatus();
}

absl::Status check(const store::BudgetRow& row) {
  if (row.scope_kind != "organization" && row.scope_kind != "project" && row.scope_kind != "key") {
    return base::invalid_argument(fmt::format(
        "a budget is of an organization, a project or a key, not of '{}'", row.scope_kind));
  }
  if (row.period != "day" && row.period != "month") {
    return base::invalid_argument(
        fmt::format("a budget is for a day or a month, not for '{}'", row.period));
  }
  if (row.limit_pico < 0 || row.limit_pico > kBudgetPicoMax) {
    return base::invalid_argument(
        fmt::format("a budget is from 0 to {}", format_money(kBudgetPicoMax)));
  }
  return absl::OkStatus();
}

absl::Status check(const store::PriceRow& row) {
  for (const auto pico : {row.input_pico, row.cached_pico, row.output_pico}) {
    if (pico < 0 || pico > kPricePicoMax) {
      return base::invalid_argument(fmt::format("a price is from 0 to {} a million tokens",
                                                format_money(__int128{kPricePicoMax} * 1'000'000)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view resource_name(Resource resource) {
  return kResources[static_cast<std::size_t>(resource)];
}

std::optional<Resource> resource_named(std::string_view name) {
  const auto found = std::find(kResources.begin(), kResources.end(), name);
  if (found == kResources.end()) return std::nullopt;
  return static_cast<Resource>(found - kResources.begin());
}

// What one request takes of the limits that are its own. Shared pointers: a limit may be removed
// while requests hold parts of it.
struct Admission::Hold {
  std::string model;
  std::vector<std::shared_ptr<Gauge>> gauges;
  std::vector<std::shared_ptr<Purse>> purses;
  std::vector<std::string> payers;  // places of the budgets that pay, those too that come later
  Price price;
  std::int64_t tokens = 0, pico = 0;  // reserved
};

struct Admission::Impl {
  Impl(store::LimitStore& store_, const base::Clock& clock_) : store(store_), clock(clock_) {}

  // Called with mutex held, as the next.
  void put_limit(const store::LimitRow& row) {
    auto& gauges = limits[place(row.scope_kind, row.scope, row.model)];
    const auto resource = *resource_named(row.resource);
    for (auto& gauge : gauges) {
      if (gauge->resource() == resource) return gauge->set_limit(row.amount, clock.now());
    }
    gauges.push_back(std::make_shared<Gauge>(
        resource, fmt::format("{} {}", row.scope_kind, row.scope), row.amount, clock.now()));
  }
  void put_budget(const store::BudgetRow& row) {
    auto& purses = budgets[place(row.scope_kind, row.scope, "")];
    for (auto& purse : purses) {
      if (purse->row().period == row.period) return purse->read(row);
    }
    purses.push_back(std::make_shared<Purse>(row));
  }

  void drop_limits_but(const std::vector<store::LimitRow>& rows) {
    std::set<std::string> kept;
    for (const auto& row : rows)
      kept.insert(place(row.scope_kind, row.scope, row.model) + row.resource);
    for (auto& entry : limits) {
      std::erase_if(entry.second, [&](const auto& gauge) {
        return !kept.contains(entry.first + std::string(resource_name(gauge->resource())));
      });
    }
  }
  void drop_budgets_but(const std::vector<store::BudgetRow>& rows) {
    std::set<std::string> kept;
    for (const auto& row : rows) kept.insert(place(row.scope_kind, row.scope, row.period));
    for (auto& entry : budgets) {
      std::erase_if(entry.second, [&](const auto& purse) {
        const auto& row = purse->row();
        return !kept.contains(place(row.scope_kind, row.scope, row.period));
      });
    }
  }

  std::unique_ptr<Hold> hold_for(const Principal& principal, const Demand& demand) {
    auto hold = std::make_unique<Hold>();
    hold->model = demand.model;
    hold->price = prices.at(demand.model, demand.service_class, clock.unix_seconds());
    const auto add = [&](std::string_view kind, std::string_view scope) {
      if (scope.empty()) return;
      for (const std::string_view model : {std::string_view(demand.model), std::string_view()}) {
        const auto found = limits.find(place(kind, scope, model));
        if (found == limits.end()) continue;
        hold->gauges.insert(hold->gauges.end(), found->second.begin(), found->second.end());
      }
      const auto& payer = hold->payers.emplace_back(place(kind, scope, ""));
      const auto found = budgets.find(payer);
      if (found == budgets.end()) return;
      hold->purses.insert(hold->purses.end(), found->second.begin(), found->second.end());
    };
    // The narrowest first: its refusal is the one that tells the caller most.
    add("deployment", demand.deployment);
    add("key", principal.key_id);
    add("project", principal.project);
    add("organization", principal.organization);
    return hold;
  }

  absl::Status begin(Hold& hold) {
    const auto now = clock.now();
    const auto now_s = clock.unix_seconds();
    for (const auto& purse : hold.purses) {
      if (auto refused = purse->refusal(0, now_s)) return *refused;
    }
    for (const auto& gauge : hold.gauges) {
      if (!counts_requests(gauge->resource())) continue;
      if (auto refused = gauge->refusal(1, hold.model, now)) return *refused;
    }
    for (const auto& gauge : hold.gauges) {
      if (counts_requests(gauge->resource())) gauge->take(1, now);
    }
    return absl::OkStatus();
  }

  absl::Status reserve(Hold& hold, std::int64_t tokens, std::int64_t pico) {
    const auto now = clock.now();
    const auto now_s = clock.unix_seconds();
    for (const auto& gauge : hold.gauges) {
      if (!counts_tokens(gauge->resource())) continue;
      if (auto refused = gauge->refusal(tokens, hold.model, now)) return *refused;
    }
    for (const auto& purse : hold.purses) {
      if (pico == 0) continue;
      if (auto refused = purse->refusal(pico, now_s)) return *refused;
    }
    for (const auto& gauge : hold.gauges) {
      if (counts_tokens(gauge->resource())) gauge->take(tokens, now);
    }
    for (const auto& purse : hold.purses) purse->reserve(pico);
    hold.tokens += tokens;
    hold.pico += pico;
    return absl::OkStatus();
  }

  void end(const Hold& hold, std::int64_t tokens_used, std::int64_t amount_pico) {
    const auto now = clock.now();
    const auto now_s = clock.unix_seconds();
    for (const auto& gauge : hold.gauges) {
      if (counts_tokens(gauge->resource())) gauge->give_back(hold.tokens, tokens_used, now);
      // A request was one, whatever became of it.
      if (counts_requests(gauge->resource())) gauge->give_back(1, 1, now);
    }
    for (const auto& purse : hold.purses) purse->release(hold.pico);
    if (amount_pico == 0) return;
    for (const auto& payer : hold.payers) {
      const auto found = budgets.find(payer);
      if (found == budgets.end()) continue;
      for (const auto& purse : found->second) purse->spend(amount_pico, now_s);
    }
  }

  store::LimitStore& store;
  const base::Clock& clock;
  std::mutex mutex;
  // By place(); protected by mutex, as are the following.
  std::unordered_map<std::string, std::vector<std::shared_ptr<Gauge>>> limits;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Purse>>> budgets;
  PriceBook prices;
};

Admission::Ticket::Ticket() = default;
Admission::Ticket::Ticket(Admission& admission, std::unique_ptr<Hold> hold)
    : admission_(&admission), hold_(std::move(hold)) {}
Admission::Ticket::Ticket(Ticket&& other) noexcept = default;

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
  std::swap(admission_, other.admission_);
  std::swap(hold_, other.hold_);
  return *this;
}

Admission::Ticket::~Ticket() {
  if (hold_ == nullptr) return;
  std::lock_guard lock(admission_->impl_->mutex);
  admission_->impl_->end(*hold_, 0, 0);
}

const Price& Admission::Ticket::price() const { return hold_->price; }

Admission::Admission(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admission::~Admission() = default;

absl::StatusOr<std::unique_ptr<Admission>> Admission::create(store::LimitStore& store,
                                                             const base::Clock& clock) {
  auto impl = std::make_unique<Impl>(store, clock);
  ASSIGN_OR_RETURN(const auto limits, store.all_limits());
  for (const auto& row : limits) {
    // Of a newer program that knows more resources.
    if (resource_named(row.resource)) impl->put_limit(row);
  }
  ASSIGN_OR_RETURN(const auto budgets, store.all_budgets(clock.unix_seconds()));
  for (const auto& row : budgets) impl->put_budget(row);
  ASSIGN_OR_RETURN(auto prices, store.prices());
  impl->prices = PriceBook(std::move(prices));
  return std::unique_ptr<Admission>(new Admission(std::move(impl)));
}

absl::StatusOr<Admission::Ticket> Admission::begin(const Principal& principal,
                                                   const Demand& demand) {
  std::lock_guard lock(impl_->mutex);
  auto hold = impl_->hold_for(principal, demand);
  RETURN_IF_ERROR(impl_->begin(*hold));
  return Ticket(*this, std::move(hold));
}

absl::Status Admission::reserve(Ticket& ticket, std::int64_t prompt_tokens,
                                std::int64_t output_tokens) {
  if (prompt_tokens + output_tokens > kTokensMax) {
    return base::invalid_argument(fmt::format(
        "A request takes {} tokens of prompt and answers together at most.", kTokensMax));
  }
  const auto& price = ticket.hold_->price;
  const auto pico = prompt_tokens * std::max(price.input_pico, price.cached_pico) +
                    output_tokens * price.output_pico;
  std::lock_guard lock(impl_->mutex);
  return impl_->reserve(*ticket.hold_, prompt_tokens + output_tokens, pico);
}

void Admission::settle(Ticket ticket, const TokenCount& actual, std::int64_t amount_pico) {
  const auto hold = std::move(ticket.hold_);
  std::lock_guard lock(impl_->mutex);
  impl_->end(*hold, actual.input - actual.cached + actual.output, amount_pico);
}

RateView Admission::view(const Principal& principal, const Demand& demand) {
  RateView view;
  const auto now = impl_->clock.now();
  std::lock_guard lock(impl_->mutex);
  const auto hold = impl_->hold_for(principal, demand);
  for (const auto& gauge : hold->gauges) {
    const bool requests = gauge->resource() == Resource::requests_per_minute;
    if (!requests && gauge->resource() != Resource::tokens_per_minute) continue;
    auto& rate = requests ? view.requests : view.tokens;
    const auto remaining = gauge->remaining(now);
    if (!rate || remaining < rate->remaining) rate = {gauge->limit(), remaining, gauge->reset(now)};
  }
  return view;
}

absl::Status Admission::refresh() {
  ASSIGN_OR_RETURN(const auto limits, impl_->store.all_limits());
  ASSIGN_OR_RETURN(const auto budgets, impl_->store.all_budgets(impl_->clock.unix_seconds()));
  ASSIGN_OR_RETURN(auto prices, impl_->store.prices());
  std::lock_guard lock(impl_->mutex);
  impl_->drop_limits_but(limits);
  impl_->drop_budgets_but(budgets);
  for (const auto& row : limits) {
    if (resource_named(row.resource)) impl_->put_limit(row);
  }
  for (const auto& row : budgets) impl_->put_budget(row);
  impl_->prices = PriceBook(std::move(prices));
  return absl::OkStatus();
}

absl::Status Admission::set_limit(const store::LimitRow& row) {
  RETURN_IF_ERROR(check(row));
  RETURN_IF_ERROR(impl_->store.set_limit(row));
  std::lock_guard lock(impl_->mutex);
  impl_->put_limit(row);
  return absl::OkStatus();
}

absl::Status Admission::remove_limit(const store::LimitRow& row) {
  RETURN_IF_ERROR(impl_->store.remove_limit(row));
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->limits.find(place(row.scope_kind, row.scope, row.model));
  if (found == impl_->limits.end()) return absl::OkStatus();
  std::erase_if(found->second, [&](const auto& gauge) {
    return resource_name(gauge->resource()) == row.resource;
  });
  return absl::OkStatus();
}

absl::Status Admission::set_budget(const store::BudgetRow& row) {
  RETURN_IF_ERROR(check(row));
  const auto now_s = impl_->clock.unix_seconds();
  RETURN_IF_ERROR(impl_->store.set_budget(row, now_s));
  ASSIGN_OR_RETURN(const auto stored, impl_->store.budgets(row.scope_kind, row.scope, now_s));
  std::lock_guard lock(impl_->mutex);
  for (const auto& budget : stored) {
    if (budget.period == row.period) impl_->put_budget(budget);
  }
  return absl::OkStatus();
}

absl::Status Admission::remove_budget(const store::BudgetRow& row) {
  RETURN_IF_ERROR(impl_->store.remove_budget(row));
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->budgets.find(place(row.scope_kind, row.scope, ""));
  if (found == impl_->budgets.end()) return absl::OkStatus();
  std::erase_if(found->second,
                [&](const auto& purse) { return purse->row().period == row.period; });
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> Admission::insert_price(const store::PriceRow& row) {
  RETURN_IF_ERROR(check(row));
  ASSIGN_OR_RETURN(const auto version, impl_->store.insert_price(row));
  ASSIGN_OR_RETURN(auto prices, impl_->store.prices());
  std::lock_guard lock(impl_->mutex);
  impl_->prices = PriceBook(std::move(prices));
  return version;
}

}  // namespace plinth::governance
