#include "governance/money.h"

#include <fmt/format.h>

#include <algorithm>

namespace plinth::governance {

namespace {

constexpr std::int64_t kUnit = 1'000'000'000'000;
constexpr std::size_t kDecimals = 12;

bool digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string format_money(__int128 pico) {
  const bool negative = pico < 0;
  const auto absolute = static_cast<unsigned __int128>(negative ? -pico : pico);
  // fmt writes 64 bits at a time.
  const auto whole = static_cast<std::uint64_t>(absolute / kUnit);
  const auto part = static_cast<std::uint64_t>(absolute % kUnit);
  std::string text = fmt::format("{}{}.{:012}", negative ? "-" : "", whole, part);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

absl::StatusOr<std::int64_t> parse_money(std::string_view text) {
  const auto bad = [&] {
    return base::invalid_argument(
        fmt::format("'{}' is not an amount: expected a number like 12.5 with at most {} digits "
                    "behind the point",
                    text, kDecimals));
  };
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto part = point == std::string_view::npos ? "" : text.substr(point + 1);
  if (whole.empty() || whole.size() > 7 || part.size() > kDecimals || !digits(whole) ||
      !digits(part) || (point != std::string_view::npos && part.empty())) {
    return bad();
  }
  __int128 pico = 0;
  for (const char c : whole) pico = pico * 10 + (c - '0');
  for (std::size_t i = 0; i < kDecimals; ++i) {
    pico = pico * 10 + (i < part.size() ? part[i] - '0' : 0);
  }
  if (pico > INT64_MAX) return bad();
  return static_cast<std::int64_t>(pico);
}

}  // namespace plinth::governance
