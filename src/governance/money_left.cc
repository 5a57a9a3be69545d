#include "governance/money_left.h"

#include <fmt/format.h>

#include <utility>

#include "governance/money.h"
#include "governance/refusal.h"

namespace plinth::governance {

namespace {

bool has_room(const store::BudgetRow& budget, std::int64_t amount_pico) {
  const auto left = budget.limit_pico - budget.spent_pico;
  return left > 0 && left >= amount_pico;
}

}  // namespace

absl::Status check_money_left(store::LimitStore& limits, const std::string& organization,
                              const std::string& project, std::int64_t amount_pico,
                              std::int64_t time_s) {
  const std::pair<const char*, const std::string&> scopes[] = {{"organization", organization},
                                                               {"project", project}};
  for (const auto& [kind, scope] : scopes) {
    ASSIGN_OR_RETURN(const auto budgets, limits.budgets(kind, scope, time_s));
    for (const auto& budget : budgets) {
      if (has_room(budget, amount_pico)) continue;
      const auto more = amount_pico == 0
                            ? std::string()
                            : fmt::format(" {} would be needed.", format_money(amount_pico));
      return refuse(fmt::format("You exceeded the current quota: the budget of {} {} a {} is {}, "
                                "of which {} is spent.{}",
                                kind, scope, budget.period, format_money(budget.limit_pico),
                                format_money(budget.spent_pico), more),
                    {RefusalKind::budget, std::nullopt});
    }
  }
  return absl::OkStatus();
}

}  // namespace plinth::governance
