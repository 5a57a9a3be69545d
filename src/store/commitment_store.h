// What deployments hold of provisioned throughput, from when to when, as far as it is not charged
// yet. One gateway of several charges an hour, whichever comes first: the spans of the hour go away
// in the transaction that appends its rows to the ledger.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "store/database.h"
#include "store/lease_store.h"
#include "store/ledger_table.h"

namespace plinth::store {

// A deployment holds so many units from one second to another.
struct CommitmentSpan {
  std::string project, deployment;  // its name in the project
  std::string organization;         // note() finds it
  std::string model;
  std::int64_t units = 0;
  std::int64_t from_s = 0, to_s = 0;  // [from, to) in seconds since 1970; note() ignores both
};

// Thread-safe as its Database is.
class CommitmentStore {
 public:
  CommitmentStore(Database& database, DatabaseTime time)
      : database_(database), time_(std::move(time)) {}

  // From this second of the database's clock on it holds `span.units`, 0 = none. Nothing changes
  // where it holds them already.
  absl::Status note(const CommitmentSpan& span);

  struct Charged {
    std::int64_t until_s = 0;  // all hours before are charged
    bool is_all = true;        // of those that are over; otherwise charge() has more to do
    std::int64_t rows = 0;
  };
  // Charges hours of UTC that are over and were not charged, at most kCommitmentHoursAtOnce of
  // them: `rows_of` makes rows for the ledger of what was held in them. It runs again where the
  // transaction does.
  absl::StatusOr<Charged> charge(
      absl::FunctionRef<absl::StatusOr<std::vector<LedgerRow>>(std::span<const CommitmentSpan>)>
          rows_of);

 private:
  Database& database_;
  const DatabaseTime time_;
};

}  // namespace plinth::store
