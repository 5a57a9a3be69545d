#include <fmt/format.h>

#include "base/json.h"
#include "governance/deployment_limits.h"
#include "governance/limits.h"
#include "governance/money.h"
#include "governance/rerating.h"

namespace plinth::governance {

namespace {

constexpr std::int64_t kMillion = 1'000'000;

absl::Status wrong(std::size_t at, std::string_view field, std::string_view what) {
  return base::invalid_argument(fmt::format("[prices] entry {}: {}: {}", at, field, what));
}

absl::StatusOr<std::string> text_of(const base::json::object& entry, std::size_t at,
                                    std::string_view field) {
  const auto* value = entry.if_contains(base::json::string_view(field.data(), field.size()));
  if (value == nullptr || !value->is_string()) return wrong(at, field, "expected a text");
  return std::string(value->get_string());
}

// Pico-units of one token.
absl::StatusOr<std::int64_t> price_of(const base::json::object& entry, std::size_t at,
                                      std::string_view field) {
  ASSIGN_OR_RETURN(const auto text, text_of(entry, at, field));
  const auto amount = parse_money(text);
  if (!amount.ok()) return wrong(at, field, base::message(amount.status()));
  if (*amount % kMillion != 0) return wrong(at, field, "more than 6 digits behind the point");
  if (*amount / kMillion > kPricePicoMax) return wrong(at, field, "more than 10000");
  return *amount / kMillion;
}

absl::StatusOr<store::PriceRow> row_of(const base::json::value& value, std::size_t at) {
  const auto* entry = value.if_object();
  if (entry == nullptr) return wrong(at, "entry", "expected an object");
  store::PriceRow row;
  ASSIGN_OR_RETURN(row.model, text_of(*entry, at, "model"));
  ASSIGN_OR_RETURN(row.service_class, text_of(*entry, at, "service_class"));
  const auto* effective = entry->if_contains("effective_at");
  if (effective == nullptr || !effective->is_int64() || effective->get_int64() < 0)
    return wrong(at, "effective_at", "expected seconds since 1970");
  row.effective_s = effective->get_int64();
  ASSIGN_OR_RETURN(row.input_pico, price_of(*entry, at, "input_per_million"));
  ASSIGN_OR_RETURN(row.cached_pico, price_of(*entry, at, "cached_input_per_million"));
  ASSIGN_OR_RETURN(row.output_pico, price_of(*entry, at, "output_per_million"));
  if (entry->if_contains("unit_hour") != nullptr) {
    ASSIGN_OR_RETURN(const auto text, text_of(*entry, at, "unit_hour"));
    const auto amount = parse_money(text);
    if (!amount.ok()) return wrong(at, "unit_hour", base::message(amount.status()));
    if (*amount > kUnitHourPicoMax) return wrong(at, "unit_hour", "more than 100");
    row.unit_hour_pico = *amount;
  }
  row.version = static_cast<std::int64_t>(at) + 1;
  return row;
}

}  // namespace

absl::StatusOr<PriceBook> parse_price_book(std::string_view json) {
  ASSIGN_OR_RETURN(const auto document, base::parse_json(json));
  const auto* entries = document.if_array();
  if (entries == nullptr) return base::invalid_argument("[prices] expected a list of prices");
  if (entries->size() > kPriceFileRowsMax) {
    return base::invalid_argument(fmt::format("[prices] more than {} prices", kPriceFileRowsMax));
  }
  std::vector<store::PriceRow> rows;
  for (const auto& entry : *entries) {
    ASSIGN_OR_RETURN(rows.emplace_back(), row_of(entry, rows.size()));
  }
  return PriceBook(std::move(rows));
}

}  // namespace plinth::governance
