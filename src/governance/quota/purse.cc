#include "governance/quota/purse.h"

#include <fmt/format.h>

#include "governance/money.h"

namespace plinth::governance {

void Purse::move_on(std::int64_t now_s) {
  const auto start = store::period_start_s(row_.period, now_s);
  if (start <= row_.period_start_s) return;
  row_.period_start_s = start;
  row_.spent_pico = 0;
}

std::optional<absl::Status> Purse::refusal(std::int64_t amount_pico, std::int64_t now_s) {
  move_on(now_s);
  const auto left = row_.limit_pico - row_.spent_pico - reserved_pico_;
  if (amount_pico == 0 ? left > 0 : amount_pico <= left) return std::nullopt;
  return refuse(
      fmt::format("You exceeded the current quota: the budget of {} {} a {} is {}, of which {} is "
                  "spent and {} reserved by requests in progress.",
                  row_.scope_kind, row_.scope, row_.period, format_money(row_.limit_pico),
                  format_money(row_.spent_pico), format_money(reserved_pico_)),
      {RefusalKind::budget, std::nullopt});
}

void Purse::spend(std::int64_t amount_pico, std::int64_t now_s) {
  move_on(now_s);
  row_.spent_pico += amount_pico;
}

}  // namespace plinth::governance
