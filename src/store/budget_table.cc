#include "store/budget_table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <map>
#include <tuple>

namespace plinth::store {

namespace {

constexpr std::int64_t kDay = 86'400;

constexpr char kLapsed[] =
    "[ledger] the gateway's lease lapsed while the request ran; it is not charged";

// Rows are added beside each other, but not while somebody counts what is spent: a row that is not
// committed yet would be in neither.
void hold(Sql& sql, bool alone) {
  if (sql.dialect() == Dialect::sqlite) return;  // one writer at a time
  sql.each(alone ? "select pg_advisory_xact_lock(7236843)"
                 : "select pg_advisory_xact_lock_shared(7236843)",
           {}, 1, [](const SqlRow&) {});
}

const char* column_of(const std::string& scope_kind) {
  if (scope_kind == "organization") return "organization";
  return scope_kind == "project" ? "project" : "api_key";
}

const std::string& scope_of(const LedgerRow& row, const std::string& scope_kind) {
  if (scope_kind == "organization") return row.organization;
  return scope_kind == "project" ? row.project : row.api_key;
}

std::int64_t spent_since(Sql& sql, const std::string& scope_kind, const std::string& scope,
                         std::int64_t since_s) {
  // An organization's sums of days are few.
  const bool days = scope_kind == "organization";
  const auto row = sql.first(fmt::format("select sum(amount_pico) from {} where {} = ? and {} >= ?",
                                         days ? "usage_day" : "usage_hour", column_of(scope_kind),
                                         days ? "day_s" : "hour_s"),
                             {scope, since_s}, 1);
  return row ? row->integer(0) : 0;
}

void move_on(Sql& sql, BudgetRow& budget, std::int64_t time_s) {
  const auto start = period_start_s(budget.period, time_s);
  // A clock that steps back stays in the later period.
  if (start <= budget.period_start_s) return;
  hold(sql, true);
  budget.period_start_s = start;
  budget.spent_pico = spent_since(sql, budget.scope_kind, budget.scope, start);
  sql.run(
      "update budget set period_start_s = ?, spent_pico = ? where scope_kind = ? and scope = ?"
      " and period = ?",
      {budget.period_start_s, budget.spent_pico, budget.scope_kind, budget.scope, budget.period});
}

}  // namespace

std::int64_t period_start_s(const std::string& period, std::int64_t time_s) {
  if (period == "day") return time_s - time_s % kDay;
  std::tm date = fmt::gmtime(static_cast<std::time_t>(time_s));
  date.tm_mday = 1;
  date.tm_hour = date.tm_min = date.tm_sec = 0;
  return ::timegm(&date);
}

void hold_budgets(Sql& sql) { hold(sql, false); }

void hold_appends(Sql& sql) { hold(sql, true); }

absl::Status add_to_budgets(Sql& sql, std::span<const LedgerRow* const> fresh,
                            const std::optional<Lease>& lease) {
  if (!sql.first("select 1 from budget limit 1", {}, 1)) return absl::OkStatus();
  // Ordered, so that gateways take their locks in one order.
  std::map<QuotaKey, std::map<std::int64_t, std::int64_t>> spent;  // by start of the row's period
  for (const auto* row : fresh) {
    for (const std::string kind : {"key", "organization", "project"}) {
      for (const std::string period : {"day", "month"}) {
        const auto start = period_start_s(period, row->time_ms / 1000);
        spent[{kind, scope_of(*row, kind), "", period, true}][start] += row->amount_pico;
      }
    }
  }
  const bool live = lease && keep_lease(sql, *lease);
  for (const auto& [key, periods] : spent) {
    std::int64_t charged = 0;
    for (const auto& [start, amount] : periods) {
      sql.run(
          "update budget set spent_pico = spent_pico + ? where scope_kind = ? and scope = ?"
          " and period = ? and period_start_s <= ?",
          {amount, key.scope_kind, key.scope, key.name, start});
      charged += amount;
    }
    if (!lease || charged == 0) continue;
    if (live) {
      add_to_block(sql, lease->gateway, key, -charged, true);
      continue;
    }
    if (sql.first("select 1 from budget where scope_kind = ? and scope = ? and period = ?",
                  {key.scope_kind, key.scope, key.name}, 1)) {
      return base::failed_precondition(kLapsed);
    }
  }
  return absl::OkStatus();
}

std::vector<BudgetRow> read_budgets(Sql& sql, const std::string& scope_kind,
                                    const std::string& scope, std::int64_t time_s) {
  std::vector<BudgetRow> budgets;
  sql.each(
      "select period, limit_pico, period_start_s, spent_pico from budget where scope_kind = ?"
      " and scope = ? order by period",
      {scope_kind, scope}, 4, [&](const SqlRow& row) {
        budgets.push_back(
            {scope_kind, scope, row.text(0), row.integer(1), row.integer(2), row.integer(3)});
      });
  for (auto& budget : budgets) move_on(sql, budget, time_s);
  return budgets;
}

void move_on_budget(Sql& sql, const std::string& scope_kind, const std::string& scope,
                    const std::string& period, std::int64_t time_s) {
  const auto row = sql.first(
      "select period_start_s from budget where scope_kind = ? and scope = ? and period = ?",
      {scope_kind, scope, period}, 1);
  if (!row) return;
  BudgetRow budget{scope_kind, scope, period, 0, row->integer(0), 0};
  move_on(sql, budget, time_s);
}

void write_budget(Sql& sql, const BudgetRow& budget, std::int64_t time_s) {
  hold(sql, true);
  const auto start = period_start_s(budget.period, time_s);
  sql.run(
      "insert into budget (scope_kind, scope, period, limit_pico, period_start_s, spent_pico)"
      " values (?,?,?,?,?,?) on conflict (scope_kind, scope, period) do update set"
      " limit_pico = excluded.limit_pico",
      {budget.scope_kind, budget.scope, budget.period, budget.limit_pico, start,
       spent_since(sql, budget.scope_kind, budget.scope, start)});
}

bool remove_budget(Sql& sql, const std::string& scope_kind, const std::string& scope,
                   const std::string& period) {
  return sql.run("delete from budget where scope_kind = ? and scope = ? and period = ?",
                 {scope_kind, scope, period}) > 0;
}

}  // namespace plinth::store
