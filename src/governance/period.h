// Stretches of time that money is counted in, as people write them; UTC's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

struct Period {
  std::int64_t from_s = 0, to_s = 0;  // [from, to), seconds since 1970
};

// "2026-11". InvalidArgument for what is no month from 1970 to 2099.
absl::StatusOr<Period> parse_month(std::string_view text);
// "2026-11-28", its first second. InvalidArgument for what is no such day.
absl::StatusOr<std::int64_t> parse_day(std::string_view text);
// The month that holds the time, as parse_month() reads it.
std::string format_month(std::int64_t time_s);
// "2026-11-28T00:00:00Z" (RFC 3339).
std::string format_time(std::int64_t time_s);
std::string format_time_ms(std::int64_t time_ms);  // "2026-11-28T00:00:00.007Z"

}  // namespace plinth::governance
