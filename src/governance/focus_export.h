// What an organization was charged in a month, as a FOCUS 1.2 data set (FinOps Open Cost and Usage
// Specification): one CSV row a day, project, deployment, model, service class and kind of token.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "governance/period.h"
#include "store/database.h"

namespace plinth::governance {

struct FocusQuery {
  std::string organization;
  Period month;                   // the billing period
  std::string issuer = "Plinth";  // provider, publisher and issuer of the invoice
};

struct FocusTotals {
  std::int64_t rows = 0;
  __int128 billed_pico = 0;  // equals the month's invoice
};

// Hands on the header and then rows, each with its line end. Costs are exact; a last row of
// category Adjustment makes them add up to the invoice, whose lines are rounded. Every row has
// passed check_focus()'s rules: Internal names one that does not.
absl::StatusOr<FocusTotals> export_focus(
    store::Database& database, const FocusQuery& query,
    const std::function<absl::Status(std::string_view)>& write);

struct FocusFinding {
  std::size_t line = 0;
  std::string column;
  std::string what;
};

// Where a document breaks a rule of the specification, the first kFocusFindingsMax of them: columns
// that are missing, types, nulls, allowed values, and what must hold between columns.
// InvalidArgument where it is no CSV.
absl::StatusOr<std::vector<FocusFinding>> check_focus(std::string_view csv);

}  // namespace plinth::governance
