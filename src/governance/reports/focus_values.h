// Values of FOCUS's cells: their formats.
#pragma once

#include <optional>
#include <string_view>

#include "governance/reports/focus_columns.h"

namespace plinth::governance {

// mantissa * 10^-scale, without zeros at its end.
struct FocusDecimal {
  __int128 mantissa = 0;
  int scale = 0;
  bool operator==(const FocusDecimal&) const = default;
};
// Nothing for what is no such number, or has more than 36 digits.
std::optional<FocusDecimal> parse_focus_decimal(std::string_view text);
// Nothing where the product has more digits than fit.
std::optional<FocusDecimal> product(const FocusDecimal& a, const FocusDecimal& b);

// "2026-11-28T00:00:00Z"; nothing for other forms and for what is no time.
std::optional<std::int64_t> parse_focus_time(std::string_view text);

// Empty where the text is what a column of the type holds, else what was expected.
std::string_view expected_of(FocusType type, std::string_view text);

}  // namespace plinth::governance
