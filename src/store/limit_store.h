// Rows of what tenants may use and what it costs them: limits, budgets, prices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/budget_table.h"
#include "store/database.h"

namespace plinth::store {

struct LimitRow {
  std::string scope_kind;  // "organization", "project", "key", "deployment"
  std::string scope;       // its id
  std::string model;       // "" = all models together
  std::string resource;    // as governance names it: "tokens_per_minute"
  std::int64_t amount = 0;
};

struct PriceRow {
  std::string model;  // "" = every model that has no row of its own
  std::string service_class;
  std::int64_t effective_s = 0;
  // Of one token; the same number as micro-units of a million tokens.
  std::int64_t input_pico = 0, cached_pico = 0, output_pico = 0;
  std::int64_t version = 0;         // of the price book; insert_price() gives it
  std::int64_t unit_hour_pico = 0;  // of an hour of one unit of provisioned throughput
};

// Thread-safe as its Database is.
class LimitStore {
 public:
  explicit LimitStore(Database& database) : database_(database) {}

  absl::StatusOr<std::vector<LimitRow>> limits(const std::string& scope_kind,
                                               const std::string& scope);
  absl::StatusOr<std::vector<LimitRow>> all_limits();
  absl::Status set_limit(const LimitRow& row);
  // Removing what is not there is fine.
  absl::Status remove_limit(const LimitRow& row);

  // Those of a scope in the periods of time_s.
  absl::StatusOr<std::vector<BudgetRow>> budgets(const std::string& scope_kind,
                                                 const std::string& scope, std::int64_t time_s);
  // Those of every scope.
  absl::StatusOr<std::vector<BudgetRow>> all_budgets(std::int64_t time_s);
  absl::Status set_budget(const BudgetRow& row, std::int64_t time_s);
  absl::Status remove_budget(const BudgetRow& row);

  // All of them, by model, class and time.
  absl::StatusOr<std::vector<PriceRow>> prices();
  // Returns the version. AlreadyExists where the model has a price from that second on.
  absl::StatusOr<std::int64_t> insert_price(PriceRow row);

 private:
  Database& database_;
};

}  // namespace plinth::store
