#include "governance/period.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace plinth::governance {

namespace {

// The number that is exactly these digits, or -1.
int digits(std::string_view text) {
  int value = -1;
  if (text.empty() ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return -1;
  }
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::int64_t start_of(int year, int month, int day) {
  std::tm date{};
  date.tm_year = year - 1900;
  date.tm_mon = month - 1;
  date.tm_mday = day;
  return ::timegm(&date);
}

std::tm utc(std::int64_t time_s) { return fmt::gmtime(static_cast<std::time_t>(time_s)); }

}  // namespace

absl::StatusOr<Period> parse_month(std::string_view text) {
  const bool shaped = text.size() == 7 && text[4] == '-';
  const int year = shaped ? digits(text.substr(0, 4)) : -1;
  const int month = shaped ? digits(text.substr(5)) : -1;
  if (year < 1970 || year > 2099 || month < 1 || month > 12) {
    return base::invalid_argument(fmt::format("'{}' is no month: expected one like 2026-11", text));
  }
  return Period{start_of(year, month, 1), start_of(year, month + 1, 1)};
}

absl::StatusOr<std::int64_t> parse_day(std::string_view text) {
  const auto bad = [&] {
    return base::invalid_argument(
        fmt::format("'{}' is no day: expected one like 2026-11-28", text));
  };
  if (text.size() != 10 || text[7] != '-') return bad();
  const auto month = parse_month(text.substr(0, 7));
  const int day = digits(text.substr(8));
  if (!month.ok() || day < 1) return bad();
  const auto start_s = month->from_s + std::int64_t{day - 1} * 86'400;
  return start_s < month->to_s ? absl::StatusOr<std::int64_t>(start_s) : bad();
}

std::string format_month(std::int64_t time_s) { return fmt::format("{:%Y-%m}", utc(time_s)); }

std::string format_time(std::int64_t time_s) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc(time_s));
}

std::string format_time_ms(std::int64_t time_ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc(time_ms / 1000), time_ms % 1000);
}

}  // namespace plinth::governance
