#include "governance/reports/rated_sum.h"

namespace plinth::governance {

PriceVersions by_version(const std::vector<store::PriceRow>& prices) {
  PriceVersions versions;
  for (const auto& price : prices) versions[price.version] = price;
  return versions;
}

std::vector<RatedPart> parts_of(const store::LedgerSum& sum, const PriceVersions& prices) {
  std::vector<RatedPart> parts;
  if (sum.kind != "settle") {
    if (sum.amount_pico != 0)
      parts.push_back({sum.kind == "credit" ? kCredit : kAdjustment, 0, 0, sum.amount_pico});
    return parts;
  }
  // Version 0 and those that are not in the book are free.
  const auto found = prices.find(sum.price_version);
  const auto price = found == prices.end() ? store::PriceRow{} : found->second;
  __int128 rest = sum.amount_pico;
  const auto add = [&](std::string_view meter, std::int64_t tokens, std::int64_t price_pico) {
    if (tokens == 0) return;
    const auto amount = __int128{tokens} * price_pico;
    parts.push_back({meter, tokens, price_pico, amount});
    rest -= amount;
  };
  add(kInput, sum.input_tokens - sum.cached_tokens, price.input_pico);
  add(kCachedInput, sum.cached_tokens, price.cached_pico);
  add(kOutput, sum.output_tokens, price.output_pico);
  if (rest != 0) parts.push_back({kOther, 0, 0, rest});
  return parts;
}

}  // namespace plinth::governance
