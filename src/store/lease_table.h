// Leases of gateways and the blocks under them, inside a transaction.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "store/sql.h"

namespace plinth::store {

// A gateway's lease. The epoch grows when the gateway lost an older one: what was reserved under
// that is void. 0 = none yet.
struct Lease {
  std::string gateway;  // one for each process, never used again
  std::int64_t epoch = 0;
  bool operator==(const Lease&) const = default;
};

// One limit or one budget.
struct QuotaKey {
  std::string scope_kind, scope;
  std::string model;  // "" = all models together; always so of a budget
  std::string name;   // the resource of a limit, the period of a budget
  bool is_budget = false;
  auto operator<=>(const QuotaKey&) const = default;
};

// One transaction at a time deals in blocks.
void hold_blocks(Sql& sql);
// Deletes the leases of others that lapsed, and their blocks.
void reclaim_lapsed(Sql& sql, const std::string& but_gateway, std::int64_t now_ms);
// False where somebody deleted it.
bool renew_lease(Sql& sql, const Lease& lease, std::int64_t expires_ms);
// Whatever the gateway held before is gone.
void insert_lease(Sql& sql, const Lease& lease, std::int64_t expires_ms);
void delete_lease(Sql& sql, const std::string& gateway);
std::vector<std::string> other_gateways(Sql& sql, const std::string& gateway);

// Whether the lease is there; it stays so until the transaction ends.
bool keep_lease(Sql& sql, const Lease& lease);
// More or less of what the gateway holds; `only_if_there` makes no new row.
void add_to_block(Sql& sql, const std::string& gateway, const QuotaKey& key, std::int64_t amount,
                  bool only_if_there);
// Of the block that is there.
void set_idle(Sql& sql, const std::string& gateway, const QuotaKey& key, std::int64_t amount);

}  // namespace plinth::store
