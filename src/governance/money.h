// Money as people write it, exact: one unit is 10^12 pico-units.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

// "12.5": without zeros at the end.
std::string format_money(__int128 pico);
// "12.5", "0.000001", "3": at most 12 digits behind the point. InvalidArgument for what is no such
// number, is negative, or is more than 64 bits of pico-units hold.
absl::StatusOr<std::int64_t> parse_money(std::string_view text);

}  // namespace plinth::governance
