// Who gets how much of the machine: shares of tokens and device time by service class and by
// project, how even they are, and who waited too long.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "governance/period.h"
#include "governance/report_table.h"
#include "store/database.h"

namespace plinth::governance {

struct EquityLine {
  std::string id, name;
  std::int64_t requests = 0;
  std::int64_t tokens = 0;  // input and output
  std::int64_t device_us = 0;
  std::int64_t starved = 0;  // requests that waited longer than the bound
};

struct EquityReport {
  std::string organization;
  Period period;
  std::int64_t starved_over_us = 0;
  std::vector<EquityLine> classes, projects;  // by id; those that had a request
  EquityLine total;
  double jain_tokens = 1, jain_device = 1;  // over projects
};

// (sum x)^2 / (n * sum x^2): 1 where all have the same, 1/n where one has all. Jain, Chiu and Hawe,
// "A Quantitative Measure of Fairness" (1984). 1 of nobody and of nothing.
double jain_index(std::span<const double> shares);

absl::StatusOr<EquityReport> make_equity_report(store::Database& database,
                                                const std::string& organization,
                                                const Period& period, std::int64_t starved_over_us);

base::json::object to_json(const EquityReport& report);
std::vector<ReportTable> to_tables(const EquityReport& report);

}  // namespace plinth::governance
