// What sums of the ledger's rows consist of: tokens of each kind by their price, and the rest.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "governance/price_book.h"
#include "store/ledger_scan.h"

namespace plinth::governance {

// What a part is charged for. "other" is what a row costs beyond its tokens at the price of its
// version.
inline constexpr std::string_view kInput = "input", kCachedInput = "cached_input",
                                  kOutput = "output", kAdjustment = "adjustment",
                                  kCredit = "credit", kOther = "other", kCommitment = "commitment";

struct RatedPart {
  std::string_view meter;
  std::int64_t tokens = 0;        // 0 where it is no tokens'
  std::int64_t unit_seconds = 0;  // of a commitment: of whole hours, or of what is left of them
  std::int64_t price_pico = 0;    // of one token, or of a unit for an hour; 0 of broken hours
  __int128 amount_pico = 0;
};

using PriceVersions = std::map<std::int64_t, store::PriceRow>;
PriceVersions by_version(const std::vector<store::PriceRow>& prices);

// Parts that add up to the sum's amount, to the pico-unit. Parts of no tokens and no money are left
// out.
std::vector<RatedPart> parts_of(const store::LedgerSum& sum, const PriceVersions& prices);

}  // namespace plinth::governance
