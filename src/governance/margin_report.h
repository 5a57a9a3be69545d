// What requests were charged beside what they cost: price from the ledger's amounts, cost from its
// device time and what an hour of a device costs its owner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "governance/period.h"
#include "governance/report_table.h"
#include "store/database.h"

namespace plinth::governance {

struct MarginLine {
  std::string project, project_name, model;
  std::int64_t requests = 0;
  std::int64_t timed_requests = 0;  // whose device time was measured: others cost nothing here
  std::int64_t device_us = 0;
  __int128 price_pico = 0, cost_pico = 0;
};

struct MarginReport {
  std::string organization;
  Period period;
  std::vector<MarginLine> lines;  // by project and model
  MarginLine total;
  // Of the devices while a cost was declared for them, until `to_s` or now: paid for whether they
  // worked or not.
  __int128 capacity_us = 0, capacity_pico = 0;
  std::int64_t uncosted_us = 0;  // device time from before the first declared cost
  double utilisation() const;    // of the capacity; 0 where none is declared
  __int128 idle_pico() const { return capacity_pico - total.cost_pico; }
};

absl::StatusOr<MarginReport> make_margin_report(store::Database& database,
                                                const std::string& organization,
                                                const Period& period, std::int64_t now_s);

base::json::object to_json(const MarginReport& report);
std::vector<ReportTable> to_tables(const MarginReport& report);

}  // namespace plinth::governance
