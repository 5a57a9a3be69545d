// Every bound of the store, with its reason.
#pragma once

#include <chrono>
#include <cstddef>

namespace plinth::store {

// Connections that read SQLite beside the one that writes: as many as a small machine runs threads
// of the gateway.
inline constexpr std::size_t kReaders = 4;
// To PostgreSQL, from each gateway: its default of 100 serves a dozen of them.
inline constexpr std::size_t kPoolConnections = 8;
// Whoever waits longer for a connection is told so: the database is away or far behind.
inline constexpr std::chrono::seconds kConnectionWait{30};
// Of a gateway's lease: twice as long as a row of the ledger waits for a database that is away
// (LedgerWriter::kAwayMax), so that such a time costs no gateway what it holds.
inline constexpr std::chrono::seconds kLease{60};
// Runs of a transaction that others stood in the way of.
inline constexpr int kAttempts = 5;

}  // namespace plinth::store
