// What a request costs its owner: device time at what an hour of a device costs at its time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"
#include "store/cost_store.h"

namespace plinth::governance {

// InvalidArgument for what is out of kDeviceHourPicoMax or kDevicesMax, or begins with no whole
// hour.
absl::Status check_device_cost(const store::DeviceCostRow& row);

// numerator / denominator, half to the even neighbour. Of what is not below 0.
__int128 divide_half_even(__int128 numerator, __int128 denominator);

// Immutable.
class DeviceCosts {
 public:
  // Ordered by time, as store::CostStore::costs() gives them.
  explicit DeviceCosts(std::vector<store::DeviceCostRow> rows) : rows_(std::move(rows)) {}
  // Pico-units, rounded once; nothing where no cost was declared for that time.
  std::optional<__int128> cost_pico(std::int64_t device_us, std::int64_t time_s) const;
  const std::vector<store::DeviceCostRow>& rows() const { return rows_; }

 private:
  std::vector<store::DeviceCostRow> rows_;
};

}  // namespace plinth::governance
