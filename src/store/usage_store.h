// The ledger and its sums: rows go in together with what they add to every sum, so that the sums
// are the ledger's at any time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/lease_table.h"
#include "store/ledger_table.h"

namespace plinth::store {

// By what the sums of one answer may differ.
enum class UsageDimension : std::uint8_t {
  project,
  user_id,
  api_key,
  deployment,
  model,
  operation,
  service_class
};

// Its column in the ledger and in every table of sums that has it.
const char* column_of(UsageDimension dimension);

struct UsageQuery {
  std::string organization;
  std::int64_t start_s = 0, end_s = 0;  // [start, end), multiples of bucket_s
  std::int64_t bucket_s = 86'400;       // 60, 3,600 or 86,400: UTC's minutes, hours, days
  std::vector<UsageDimension> group_by;
  struct Filter {
    UsageDimension dimension = UsageDimension::project;
    std::vector<std::string> any_of;
  };
  std::vector<Filter> filters;
};

struct UsageSum {
  std::int64_t bucket_start_s = 0;
  std::vector<std::string> group;  // values of group_by, in its order
  std::int64_t requests = 0, input_tokens = 0, cached_tokens = 0, output_tokens = 0;
  std::int64_t device_us = 0;
  // 64 bits hold 9.2 million units of money: sums may need more.
  __int128 amount_pico = 0;
};

// Thread-safe as its Database is.
class UsageStore {
 public:
  explicit UsageStore(Database& database) : database_(database) {}

  // Durable with everything that follows from the rows, or none of it. Appending rows again that
  // are there changes nothing. Their cost comes out of the blocks of the lease that they were
  // reserved under: FailedPrecondition where it lapsed and one of them is a budget's to pay.
  absl::Status append(std::span<const LedgerRow> rows,
                      const std::optional<Lease>& lease = std::nullopt);
  // Ordered by bucket, then by group.
  absl::StatusOr<std::vector<UsageSum>> usage(const UsageQuery& query);
  // Rows of [from, to) in the order of time, as one moment had them.
  absl::Status each_row(const std::string& organization, std::int64_t from_ms, std::int64_t to_ms,
                        const std::function<void(const LedgerRow&)>& take);

 private:
  Database& database_;
};

}  // namespace plinth::store
