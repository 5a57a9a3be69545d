#include "governance/quota/limit_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "governance/admission.h"
#include "governance/deployment_limits.h"
#include "governance/limits.h"
#include "governance/money.h"

namespace plinth::governance {

namespace {

constexpr std::array<std::string_view, 6> kResources{"requests_per_minute", "tokens_per_minute",
                                                     "requests_per_day",    "parallel_requests",
                                                     "queued_tokens",       "provisioned_tokens"};

constexpr std::array<std::string_view, 4> kScopeKinds{"organization", "project", "key",
                                                      "deployment"};

}  // namespace

std::string_view resource_name(Resource resource) {
  return kResources[static_cast<std::size_t>(resource)];
}

std::optional<Resource> resource_named(std::string_view name) {
  const auto found = std::find(kResources.begin(), kResources.end(), name);
  if (found == kResources.end()) return std::nullopt;
  return static_cast<Resource>(found - kResources.begin());
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
  const auto most = resource_named(row.resource) == Resource::provisioned_tokens
                        ? kProvisionedTokensMax
                        : kLimitMax;
  if (row.amount < 0 || row.amount > most) {
    return base::invalid_argument(fmt::format("{} is a number from 0 to {}", row.resource, most));
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
  if (row.unit_hour_pico < 0 || row.unit_hour_pico > kUnitHourPicoMax) {
    return base::invalid_argument(fmt::format("an hour of a provisioned unit costs from 0 to {}",
                                              format_money(kUnitHourPicoMax)));
  }
  if (row.unit_hour_pico > 0 && row.service_class != "provisioned") {
    return base::invalid_argument("the class provisioned alone has units that cost by the hour");
  }
  for (const auto pico : {row.input_pico, row.cached_pico, row.output_pico}) {
    if (pico < 0 || pico > kPricePicoMax) {
      return base::invalid_argument(fmt::format("a price is from 0 to {} a million tokens",
                                                format_money(__int128{kPricePicoMax} * 1'000'000)));
    }
  }
  return absl::OkStatus();
}

}  // namespace plinth::governance
