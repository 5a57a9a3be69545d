#include "governance/reports/rated_sum.h"

namespace plinth::governance {

PriceVersions by_version(const std::vector<store::PriceRow>& prices) {
  PriceVersions versions;
  for (const auto& price : prices) versions[price.version] = price;
  return versions;
}

namespace {

constexpr std::int64_t kHour = 3600;

// Whole hours of units by their price, and what is left: broken hours have no price that a
// multiplication could show, since they were rounded.
std::vector<RatedPart> commitment_parts(const store::LedgerSum& sum, const store::PriceRow& price) {
  std::vector<RatedPart> parts;
  auto hours = sum.unit_seconds / kHour;
  // Hours that were broken may have been rounded down by more than their sum would be.
  while (hours > 0 && sum.amount_pico < __int128{hours} * price.unit_hour_pico) --hours;
  const auto whole = __int128{hours} * price.unit_hour_pico;
  if (hours > 0) parts.push_back({kCommitment, 0, hours * kHour, price.unit_hour_pico, whole});
  const auto rest_s = sum.unit_seconds - hours * kHour;
  if (rest_s > 0 || sum.amount_pico != whole)
    parts.push_back({kCommitment, 0, rest_s, 0, sum.amount_pico - whole});
  return parts;
}

}  // namespace

std::vector<RatedPart> parts_of(const store::LedgerSum& sum, const PriceVersions& prices) {
  std::vector<RatedPart> parts;
  // Version 0 and those that are not in the book are free.
  const auto found = prices.find(sum.price_version);
  const auto price = found == prices.end() ? store::PriceRow{} : found->second;
  if (sum.kind == "commitment") return commitment_parts(sum, price);
  if (sum.kind != "settle") {
    if (sum.amount_pico != 0)
      parts.push_back({sum.kind == "credit" ? kCredit : kAdjustment, 0, 0, 0, sum.amount_pico});
    return parts;
  }
  __int128 rest = sum.amount_pico;
  const auto add = [&](std::string_view meter, std::int64_t tokens, std::int64_t price_pico) {
    if (tokens == 0) return;
    const auto amount = __int128{tokens} * price_pico;
    parts.push_back({meter, tokens, 0, price_pico, amount});
    rest -= amount;
  };
  add(kInput, sum.input_tokens - sum.cached_tokens, price.input_pico);
  add(kCachedInput, sum.cached_tokens, price.cached_pico);
  add(kOutput, sum.output_tokens, price.output_pico);
  if (rest != 0) parts.push_back({kOther, 0, 0, 0, rest});
  return parts;
}

}  // namespace plinth::governance
