// Budgets in money, and what of them is spent: kept up to date in the transactions of the ledger's
// own rows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/lease_table.h"
#include "store/ledger_table.h"
#include "store/sql.h"

namespace plinth::store {

struct BudgetRow {
  std::string scope_kind;  // "organization", "project", "key"
  std::string scope;       // its id
  std::string period;      // "day", "month": UTC's
  std::int64_t limit_pico = 0;
  std::int64_t period_start_s = 0;
  std::int64_t spent_pico = 0;  // by rows of the ledger since then
};

// First second of the day or month that holds the time.
std::int64_t period_start_s(const std::string& period, std::int64_t time_s);

// For the transaction that appends rows: first of all, so that nobody counts what is spent while it
// runs; then, with the rows that are new. A row counts in the period that a budget is in, unless
// its time is of an earlier one. What a row costs comes out of the blocks of the lease that it was
// reserved under. FailedPrecondition where that lapsed and a budget would have to pay: others may
// have its blocks.
void hold_budgets(Sql& sql);
absl::Status add_to_budgets(Sql& sql, std::span<const LedgerRow* const> fresh,
                            const std::optional<Lease>& lease);
// For one that must see every row: nobody appends until its end.
void hold_appends(Sql& sql);

// Begins the budget's next period where the time is in it.
void move_on_budget(Sql& sql, const std::string& scope_kind, const std::string& scope,
                    const std::string& period, std::int64_t time_s);
// Those of a scope, moved on to the periods of time_s.
std::vector<BudgetRow> read_budgets(Sql& sql, const std::string& scope_kind,
                                    const std::string& scope, std::int64_t time_s);
// Sets a limit; what was spent in the period counts.
void write_budget(Sql& sql, const BudgetRow& budget, std::int64_t time_s);
// False where there is none.
bool remove_budget(Sql& sql, const std::string& scope_kind, const std::string& scope,
                   const std::string& period);

}  // namespace plinth::store
