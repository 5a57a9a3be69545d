// What requests would have cost by other prices: a function of the ledger's events and a price book
// and of nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "governance/period.h"
#include "governance/price_book.h"
#include "store/database.h"
#include "store/ledger_table.h"

namespace plinth::governance {

// An hour of rows that differ in nothing that sums tell apart.
struct ReratedHour {
  store::LedgerRow of;  // whose they are: organization to service_class
  std::int64_t hour_s = 0;
  std::int64_t requests = 0;
  std::int64_t adjustments = 0;  // rows of an earlier rerating
  __int128 before_pico = 0;      // charged, with those adjustments
  __int128 after_pico = 0;       // by the prices
};

// Hours of the period in the order of time, also those that cost the same. Credits are nobody's
// price and stay. DataLoss names a row whose counts cannot be.
absl::Status rerate(store::Database& database, const std::string& organization,
                    const Period& period, const PriceBook& prices,
                    const std::function<void(const ReratedHour&)>& take);

// The row that makes the hour cost what it should. It stands in that hour, so that every sum and
// report of a time is right, and a second rerating finds nothing to do; its id follows from what it
// corrects, so that two at once append one.
store::LedgerRow adjustment_of(const ReratedHour& hour);

// A price book as `plinth admin price list --json` prints it. InvalidArgument names the entry and
// what is wrong with it.
absl::StatusOr<PriceBook> parse_price_book(std::string_view json);

}  // namespace plinth::governance
