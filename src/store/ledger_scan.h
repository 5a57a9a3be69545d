// Reading the ledger's rows in bulk, and their sums.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/ledger_table.h"
#include "store/usage_store.h"

namespace plinth::store {

// First thing in a body that reads: all of its statements see the same moment.
void read_one_moment(Sql& sql);

// Rows of [from, to) in the order of time, a window at a time: libpq holds a whole answer in
// memory.
void scan_ledger(Sql& sql, const std::string& organization, std::int64_t from_ms,
                 std::int64_t to_ms, const std::function<void(const LedgerRow&)>& take);

// Of the newest row, in milliseconds since 1970.
std::optional<std::int64_t> newest_ledger_ms(Sql& sql);

// Sums of rows, for what may not rest on roll-ups: invoices and exports.
struct LedgerSumQuery {
  std::string organization;
  std::int64_t from_s = 0, to_s = 0;  // [from, to)
  std::int64_t bucket_s = 0;          // 0 = all in one
  std::vector<UsageDimension> group_by;
  std::string project;                      // "" = all
  std::int64_t waited_over_us = INT64_MAX;  // for waited_rows
};

struct LedgerSum {
  std::int64_t bucket_start_s = 0;  // from_s where all is in one
  std::vector<std::string> group;   // values of group_by, in its order
  std::string kind;                 // "settle", "adjust", "credit", "commitment"
  std::int64_t price_version = 0;
  std::int64_t rows = 0, input_tokens = 0, cached_tokens = 0, output_tokens = 0;
  std::int64_t device_us = 0;
  std::int64_t timed_rows = 0;    // whose device time was measured
  std::int64_t waited_rows = 0;   // that waited longer than waited_over_us
  std::int64_t unit_seconds = 0;  // of commitments: units times the seconds that they were held
  __int128 amount_pico = 0;
};

// Ordered by bucket, group, kind and version: each combination once. Months of millions of rows
// take seconds.
absl::StatusOr<std::vector<LedgerSum>> ledger_sums(Database& database, const LedgerSumQuery& query);

}  // namespace plinth::store
