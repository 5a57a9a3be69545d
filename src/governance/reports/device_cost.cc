#include "governance/device_cost.h"

#include <fmt/format.h>

#include <algorithm>

#include "governance/limits.h"

namespace plinth::governance {

namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kHourUs = 3'600'000'000;

}  // namespace

absl::Status check_device_cost(const store::DeviceCostRow& row) {
  if (row.device_hour_pico < 0 || row.device_hour_pico > kDeviceHourPicoMax)
    return base::invalid_argument("an hour of a device costs 0 to 1000 units of money");
  if (row.devices < 1 || row.devices > kDevicesMax) {
    return base::invalid_argument(fmt::format("there are 1 to {} devices", kDevicesMax));
  }
  if (row.effective_s < 0 || row.effective_s % kHour != 0)
    return base::invalid_argument("a cost begins with a whole hour, UTC's");
  return absl::OkStatus();
}

__int128 divide_half_even(__int128 numerator, __int128 denominator) {
  const auto whole = numerator / denominator;
  const auto twice = numerator % denominator * 2;
  const bool up = twice > denominator || (twice == denominator && whole % 2 != 0);
  return whole + (up ? 1 : 0);
}

std::optional<__int128> DeviceCosts::cost_pico(std::int64_t device_us, std::int64_t time_s) const {
  const auto later = std::upper_bound(
      rows_.begin(), rows_.end(), time_s,
      [](std::int64_t time, const store::DeviceCostRow& row) { return time < row.effective_s; });
  if (later == rows_.begin()) return std::nullopt;
  return divide_half_even(__int128{device_us} * std::prev(later)->device_hour_pico, kHourUs);
}

}  // namespace plinth::governance
