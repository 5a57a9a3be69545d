// What an hour of a device costs its owner, and how many there are.
#pragma once

#include <cstdint>
#include <vector>

#include "store/database.h"

namespace plinth::store {

struct DeviceCostRow {
  std::int64_t effective_s = 0;  // whole hours since 1970
  std::int64_t device_hour_pico = 0;
  std::int64_t devices = 1;
};

// Thread-safe as its Database is.
class CostStore {
 public:
  explicit CostStore(Database& database) : database_(database) {}

  // All of them, by time.
  absl::StatusOr<std::vector<DeviceCostRow>> costs();
  // AlreadyExists where there is one from that second on.
  absl::Status insert(const DeviceCostRow& row);

 private:
  Database& database_;
};

}  // namespace plinth::store
