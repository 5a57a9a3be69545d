#include "governance/margin_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "governance/device_cost.h"
#include "governance/reports/project_names.h"
#include "store/ledger_scan.h"

namespace plinth::governance {

namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kHourUs = 3'600'000'000;

// A part of the period in which an hour costs the same.
struct Stretch {
  std::int64_t from_s = 0, to_s = 0;
  store::DeviceCostRow cost;  // of 0 devices where none is declared
};

std::vector<Stretch> stretches_of(const Period& period,
                                  const std::vector<store::DeviceCostRow>& costs) {
  std::vector<Stretch> all;
  auto from_s = period.from_s;
  store::DeviceCostRow cost{0, 0, 0};
  const auto end_at = [&](std::int64_t to_s) {
    if (to_s > from_s) all.push_back({from_s, to_s, cost});
    from_s = std::max(from_s, to_s);
  };
  for (const auto& next : costs) {
    end_at(std::min(next.effective_s, period.to_s));
    cost = next;
  }
  end_at(period.to_s);
  return all;
}

}  // namespace

double MarginReport::utilisation() const {
  if (capacity_us == 0) return 0;
  return static_cast<double>(total.device_us - uncosted_us) / static_cast<double>(capacity_us);
}

absl::StatusOr<MarginReport> make_margin_report(store::Database& database,
                                                const std::string& organization,
                                                const Period& period, std::int64_t now_s) {
  using D = store::UsageDimension;
  ASSIGN_OR_RETURN(const auto names, project_names(database, organization));
  ASSIGN_OR_RETURN(const auto costs, store::CostStore(database).costs());
  MarginReport report;
  report.organization = organization;
  report.period = period;
  std::map<std::pair<std::string, std::string>, std::pair<MarginLine, __int128>> lines;
  for (const auto& stretch : stretches_of(period, costs)) {
    ASSIGN_OR_RETURN(
        const auto sums,
        store::ledger_sums(
            database, {organization, stretch.from_s, stretch.to_s, 0, {D::project, D::model}, ""}));
    for (const auto& sum : sums) {
      auto& [line, work] = lines[{sum.group[0], sum.group[1]}];
      line.project = sum.group[0];
      line.model = sum.group[1];
      // Corrections are no requests, but money.
      line.requests += sum.kind == "settle" ? sum.rows : 0;
      line.timed_requests += sum.kind == "settle" ? sum.timed_rows : 0;
      line.device_us += sum.device_us;
      line.price_pico += sum.amount_pico;
      work += __int128{sum.device_us} * stretch.cost.device_hour_pico;
      if (stretch.cost.devices == 0) report.uncosted_us += sum.device_us;
    }
    const auto paid_s = std::max<std::int64_t>(0, std::min(stretch.to_s, now_s) - stretch.from_s);
    report.capacity_us += __int128{stretch.cost.devices} * paid_s * 1'000'000;
    report.capacity_pico +=
        __int128{stretch.cost.devices} * paid_s * stretch.cost.device_hour_pico / kHour;
  }
  for (auto& [key, entry] : lines) {
    auto& line = entry.first;
    const auto name = names.find(line.project);
    if (name != names.end()) line.project_name = name->second;
    line.cost_pico = divide_half_even(entry.second, kHourUs);
    report.total.requests += line.requests;
    report.total.timed_requests += line.timed_requests;
    report.total.device_us += line.device_us;
    report.total.price_pico += line.price_pico;
    report.total.cost_pico += line.cost_pico;
    report.lines.push_back(std::move(line));
  }
  return report;
}

}  // namespace plinth::governance
