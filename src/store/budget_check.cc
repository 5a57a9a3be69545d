#include "store/budget_check.h"

#include <fmt/format.h>

#include "store/budget_table.h"

namespace plinth::store {

namespace {

std::int64_t spent_by_hours(Sql& sql, const BudgetRow& budget) {
  const char* column = budget.scope_kind == "organization" ? "organization"
                       : budget.scope_kind == "project"    ? "project"
                                                           : "api_key";
  const auto row = sql.first(
      fmt::format("select sum(amount_pico) from usage_hour where {} = ? and hour_s >= ?", column),
      {budget.scope, budget.period_start_s}, 1);
  return row ? row->integer(0) : 0;
}

std::vector<BudgetRow> stored_budgets(Sql& sql) {
  std::vector<BudgetRow> budgets;
  sql.each(
      "select scope_kind, scope, period, limit_pico, period_start_s, spent_pico from budget"
      " order by scope_kind, scope, period",
      {}, 6, [&](const SqlRow& row) {
        budgets.push_back({row.text(0), row.text(1), row.text(2), row.integer(3), row.integer(4),
                           row.integer(5)});
      });
  return budgets;
}

}  // namespace

std::vector<std::string> wrong_budgets(Sql& sql) {
  std::vector<std::string> wrong;
  for (const auto& budget : stored_budgets(sql)) {
    const auto spent = spent_by_hours(sql, budget);
    if (spent == budget.spent_pico) continue;
    wrong.push_back(fmt::format("budget of a {} of {} {}: off by {} pico-units", budget.period,
                                budget.scope_kind, budget.scope, budget.spent_pico - spent));
  }
  return wrong;
}

void recount_budgets(Sql& sql) {
  for (const auto& budget : stored_budgets(sql)) {
    sql.run("update budget set spent_pico = ? where scope_kind = ? and scope = ? and period = ?",
            {spent_by_hours(sql, budget), budget.scope_kind, budget.scope, budget.period});
  }
}

}  // namespace plinth::store
