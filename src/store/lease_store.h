// Blocks of limits and budgets that gateways hold under their leases: how several of them share one
// limit without passing it. A gateway begins with a lease of epoch 0, takes the one that exchange()
// answers, and exchanges again before that ends.
//
// What a block may be is the caller's arithmetic; that no two decide at once, that who decides has
// a lease and that the others' lapsed blocks are back is this file's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "store/database.h"
#include "store/lease_table.h"

namespace plinth::store {

// The one clock of all that share a database, in milliseconds since 1970.
using DatabaseTime = std::function<std::int64_t(Sql&)>;
// PostgreSQL's own; on SQLite, where nobody else is, this machine's. The clock outlives it.
DatabaseTime database_time(const base::Clock& clock);

// One limit or budget as the transaction finds it.
struct QuotaState {
  std::int64_t now_ms = 0;
  std::int64_t limit = 0;
  std::int64_t spent = 0;  // of a budget, in its period
  struct Level {
    std::int64_t amount = 0;  // units times milliseconds of the period
    std::int64_t filled_ms = 0;
  };
  std::optional<Level> level;       // of a rate; nothing before its first block
  std::int64_t held = 0;            // by this gateway
  std::int64_t held_elsewhere = 0;  // by all others
};
// What becomes of it.
struct QuotaChange {
  std::int64_t held = 0;  // by this gateway
  std::optional<QuotaState::Level> level;
  std::optional<std::int64_t> idle;  // of what is held, for look()
};
// What is left of a rate, for whoever shows it: a second old where gateways spend from blocks.
struct RateLook {
  std::int64_t now_ms = 0;
  std::int64_t limit = 0;
  std::optional<QuotaState::Level> level;  // nothing before its first block
  std::int64_t idle = 0;                   // of all gateways together
};

// Thread-safe as its Database is.
class LeaseStore {
 public:
  LeaseStore(Database& database, DatabaseTime time) : database_(database), time_(std::move(time)) {}

  struct Answer {
    Lease lease;
    bool is_new = false;  // the old one is lost, or there was none: nothing was decided
    std::int64_t now_ms = 0;
  };
  // Calls decide(i, state) for each of the keys that is still there; it runs again where the
  // transaction does. The lease is good for kLease from the beginning of the call.
  using Decide = absl::FunctionRef<QuotaChange(std::size_t index, const QuotaState& state)>;
  absl::StatusOr<Answer> exchange(const Lease& lease, std::span<const QuotaKey> keys,
                                  Decide decide);
  // NotFound where there is no such limit. Takes no locks.
  absl::StatusOr<RateLook> look(const QuotaKey& key);
  // Gives back the lease and everything that is held under it.
  absl::Status release(const Lease& lease);
  // For a gateway that knows that it is the only one: ends everybody else's lease.
  absl::Status take_over(const std::string& gateway);

 private:
  Database& database_;
  const DatabaseTime time_;
};

}  // namespace plinth::store
