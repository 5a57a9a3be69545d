#include "governance/price_book.h"

#include "base/check.h"
#include "governance/deployment_limits.h"
#include "governance/limits.h"

namespace plinth::governance {

std::int64_t rate(const Price& price, const TokenCount& tokens) {
  CHECK(tokens.cached >= 0 && tokens.cached <= tokens.input && tokens.output >= 0);
  CHECK(tokens.input + tokens.output <= kTokensMax);
  return (tokens.input - tokens.cached) * price.input_pico + tokens.cached * price.cached_pico +
         tokens.output * price.output_pico;
}

std::int64_t rate_units(const Price& price, std::int64_t unit_seconds) {
  constexpr std::int64_t kHour = 3600;
  CHECK(unit_seconds >= 0 && unit_seconds <= kUnitsMax * kHour);
  const auto pico = __int128{unit_seconds} * price.unit_hour_pico;
  auto whole = static_cast<std::int64_t>(pico / kHour);
  const auto twice = 2 * static_cast<std::int64_t>(pico % kHour);
  if (twice > kHour || (twice == kHour && whole % 2 != 0)) ++whole;
  return whole;
}

PriceBook::PriceBook(std::vector<store::PriceRow> rows) : rows_(std::move(rows)) {}

Price PriceBook::at(const std::string& model, const std::string& service_class,
                    std::int64_t time_s) const {
  const store::PriceRow *own = nullptr, *of_all = nullptr;
  for (const auto& row : rows_) {
    if (row.service_class != service_class || row.effective_s > time_s) continue;
    const bool is_own = row.model == model;
    if (!is_own && !row.model.empty()) continue;
    auto& best = is_own ? own : of_all;
    if (best == nullptr || row.effective_s > best->effective_s) best = &row;
  }
  const auto* found = own != nullptr ? own : of_all;
  if (found == nullptr) return {};
  return {found->input_pico, found->cached_pico, found->output_pico, found->version,
          found->unit_hour_pico};
}

}  // namespace plinth::governance
