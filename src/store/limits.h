// Every bound of the store, with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::store {

// Connections that read SQLite beside the one that writes: as many as a small machine runs threads
// of the gateway.
inline constexpr std::size_t kReaders = 4;
// To PostgreSQL, from each gateway: its default of 100 serves a dozen of them.
inline constexpr std::size_t kPoolConnections = 8;
// Whoever waits longer for a connection is told so: the database is away or far behind.
inline constexpr std::chrono::seconds kConnectionWait{30};
// Statements that a connection keeps prepared: a service uses about half as many. Longer ones are
// of lists that rarely come again.
inline constexpr std::size_t kKeptStatementsMax = 256;
inline constexpr std::size_t kKeptStatementBytesMax = 4096;
// Of a gateway's lease: twice as long as a row of the ledger waits for a database that is away
// (LedgerWriter::kAwayMax), so that such a time costs no gateway what it holds.
inline constexpr std::chrono::seconds kLease{60};
// Runs of a transaction that others stood in the way of.
inline constexpr int kAttempts = 5;

// Hours of commitments that one transaction charges: a week, so that after a pause of years nobody
// waits long for the lock.
inline constexpr std::int64_t kCommitmentHoursAtOnce = 168;

// Of ledger rows that are read at once: at a thousand requests a second 600,000 rows, some hundred
// megabytes in libpq.
inline constexpr std::chrono::milliseconds kScanWindow = std::chrono::minutes(10);
// Of a database file that is read as a whole before every start: about a second from a disk that
// reads 500 MB/s. Larger ones are checked by `plinth doctor`.
inline constexpr std::uint64_t kStartCheckBytesMax = 512u << 20;
// Differences that one message names: the first show what happened.
inline constexpr std::size_t kDifferencesShown = 5;
// Of what a program said that failed: its last words.
inline constexpr std::size_t kProgramOutputMax = 4096;

// Files and models that a backup's manifest names: a home with thousands of sharded models.
inline constexpr std::size_t kBackupEntriesMax = 100'000;
inline constexpr std::size_t kBackupManifestBytesMax = 64u << 20;

}  // namespace plinth::store
