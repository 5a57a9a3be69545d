// Whether a database holds what it promises, and how its sums are mended.
#pragma once

#include <cstdint>
#include <string>

#include "store/database.h"

namespace plinth::store {

// SQLite's quick_check of a file that may be in use, which is not changed. NotFound where there is
// none; DataLoss with its findings.
absl::Status check_database(const std::string& path);

// Whether the hourly and daily sums of [from_s, to_s), whole days, are those of the ledger's rows.
// DataLoss names the first differences.
absl::Status check_sums(Database& database, std::int64_t from_s, std::int64_t to_s);
// The same of the newest hour that has rows: what a start can afford.
absl::Status check_newest_sums(Database& database);
// Of everything, and whether budgets say what the sums do; seconds for each million rows.
absl::Status check_all_sums(Database& database);

// Makes the sums of [from_s, to_s), whole days, from the rows again; whoever appends waits. In a
// transaction of its own, in which budgets are counted again, too; or in one where nobody else
// appends.
absl::Status rebuild_sums(Database& database, std::int64_t from_s, std::int64_t to_s);
void rebuild_sums(Sql& sql, std::int64_t from_s, std::int64_t to_s);
absl::Status rebuild_all_sums(Database& database);

}  // namespace plinth::store
