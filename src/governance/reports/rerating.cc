#include "governance/rerating.h"

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <utility>

#include "governance/deployment_limits.h"
#include "governance/limits.h"
#include "governance/meter.h"
#include "store/sha256.h"
#include "store/usage_store.h"

namespace plinth::governance {

namespace {

constexpr std::int64_t kHour = 3600;

using Key = std::tuple<std::string, std::string, std::string, std::string, std::string, std::string,
                       std::string>;

Key key_of(const store::LedgerRow& row) {
  return {row.project, row.api_key,   row.user_id,      row.deployment,
          row.model,   row.operation, row.service_class};
}

absl::Status check(const store::LedgerRow& row) {
  if (row.kind == "commitment") {
    if (row.choices >= 0 && row.choices <= kUnitsMax * kHour) return absl::OkStatus();
    return base::data_loss(
        fmt::format("[ledger] row {}: {} seconds of units", row.id, row.choices));
  }
  if (row.cached_tokens >= 0 && row.cached_tokens <= row.input_tokens && row.output_tokens >= 0 &&
      row.input_tokens <= kTokensMax && row.output_tokens <= kTokensMax &&
      row.input_tokens + row.output_tokens <= kTokensMax) {
    return absl::OkStatus();
  }
  return base::data_loss(fmt::format("[ledger] row {}: {} input, {} cached and {} output tokens",
                                     row.id, row.input_tokens, row.cached_tokens,
                                     row.output_tokens));
}

class Hours {
 public:
  Hours(const PriceBook& prices, const std::function<void(const ReratedHour&)>& take)
      : prices_(prices), take_(take) {}

  void add(const store::LedgerRow& row) {
    if (!status_.ok() || row.kind == "credit") return;
    const auto hour_s = row.time_ms / 1000 - row.time_ms / 1000 % kHour;
    if (hour_s != hour_s_) flush();
    hour_s_ = hour_s;
    auto& hour = hours_[key_of(row)];
    if (hour.of.organization.empty()) hour.of = row;
    hour.hour_s = hour_s;
    hour.before_pico += row.amount_pico;
    if (row.kind == "settle" || row.kind == "commitment") {
      status_ = check(row);
      if (!status_.ok()) return;
      hour.requests += row.kind == "settle" ? 1 : 0;
      hour.after_pico += rate_again(row, prices_);
    } else {
      ++hour.adjustments;
    }
  }

  absl::Status finish() {
    if (status_.ok()) flush();
    return status_;
  }

 private:
  void flush() {
    for (const auto& [key, hour] : hours_) take_(hour);
    hours_.clear();
  }

  const PriceBook& prices_;
  const std::function<void(const ReratedHour&)>& take_;
  std::int64_t hour_s_ = -1;
  std::map<Key, ReratedHour> hours_;
  absl::Status status_;
};

}  // namespace

absl::Status rerate(store::Database& database, const std::string& organization,
                    const Period& period, const PriceBook& prices,
                    const std::function<void(const ReratedHour&)>& take) {
  Hours hours(prices, take);
  RETURN_IF_ERROR(
      store::UsageStore(database).each_row(organization, period.from_s * 1000, period.to_s * 1000,
                                           [&](const store::LedgerRow& row) { hours.add(row); }));
  return hours.finish();
}

store::LedgerRow adjustment_of(const ReratedHour& hour) {
  store::LedgerRow row;
  row.organization = hour.of.organization;
  row.project = hour.of.project;
  row.api_key = hour.of.api_key;
  row.user_id = hour.of.user_id;
  row.deployment = hour.of.deployment;
  row.model = hour.of.model;
  row.operation = hour.of.operation;
  row.service_class = hour.of.service_class;
  row.kind = "adjust";
  row.choices = 0;
  row.time_ms = (hour.hour_s + kHour) * 1000 - 1;
  row.amount_pico = static_cast<std::int64_t>(hour.after_pico - hour.before_pico);
  store::Sha256 digest;
  for (const auto& part :
       {row.organization, row.project, row.api_key, row.user_id, row.deployment, row.model,
        row.operation, row.service_class, fmt::format("{}/{}", hour.hour_s, hour.adjustments)}) {
    digest.update({part.c_str(), part.size() + 1});
  }
  row.id = "adj_" + digest.hex().substr(0, 24);
  return row;
}

}  // namespace plinth::governance
