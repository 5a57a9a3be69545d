// What provisioned units cost by the hour, whether anybody calls them or not: rows of the ledger,
// one for each deployment, hour of UTC and price, once the hour is over. Kind "commitment"; the
// row's time is the first second that it is about.
//
// A deployment is charged to the second of the database's clock. A whole hour of a unit costs the
// price to the pico-unit, a broken one is rounded once (price_book.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "governance/price_book.h"
#include "store/commitment_store.h"

namespace plinth::governance {

// Rows of what was held: a function of spans and prices and of nothing else.
std::vector<store::LedgerRow> commitment_rows(std::span<const store::CommitmentSpan> spans,
                                              const PriceBook& prices);

// Thread-safe as its Database is. Any gateway may charge at any time: each hour is charged once.
class Commitments {
 public:
  Commitments(store::Database& database, store::DatabaseTime time)
      : database_(database), store_(database, std::move(time)) {}

  // As CommitmentStore::note().
  absl::Status note(const store::CommitmentSpan& span) { return store_.note(span); }
  // Charges every hour that is over, by the prices of its time. Returns the end of the last one.
  absl::StatusOr<std::int64_t> charge();

 private:
  store::Database& database_;
  store::CommitmentStore store_;
};

}  // namespace plinth::governance
