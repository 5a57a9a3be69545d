#include "governance/reports/focus_values.h"

#include <algorithm>

#include "base/json.h"
#include "governance/period.h"

namespace plinth::governance {

namespace {

// ISO 4217, without codes of metals, tests and funds.
constexpr std::string_view kCurrencies =
    "|AED|AFN|ALL|AMD|ANG|AOA|ARS|AUD|AWG|AZN|BAM|BBD|BDT|BGN|BHD|BIF|BMD|BND|BOB|BRL|BSD|BTN|BWP|"
    "BYN|BZD|CAD|CDF|CHF|CLP|CNY|COP|CRC|CUP|CVE|CZK|DJF|DKK|DOP|DZD|EGP|ERN|ETB|EUR|FJD|FKP|GBP|"
    "GEL|GHS|GIP|GMD|GNF|GTQ|GYD|HKD|HNL|HTG|HUF|IDR|ILS|INR|IQD|IRR|ISK|JMD|JOD|JPY|KES|KGS|KHR|"
    "KMF|KPW|KRW|KWD|KYD|KZT|LAK|LBP|LKR|LRD|LSL|LYD|MAD|MDL|MGA|MKD|MMK|MNT|MOP|MRU|MUR|MVR|MWK|"
    "MXN|MYR|MZN|NAD|NGN|NIO|NOK|NPR|NZD|OMR|PAB|PEN|PGK|PHP|PKR|PLN|PYG|QAR|RON|RSD|RUB|RWF|SAR|"
    "SBD|SCR|SDG|SEK|SGD|SHP|SLE|SOS|SRD|SSP|STN|SVC|SYP|SZL|THB|TJS|TMT|TND|TOP|TRY|TTD|TWD|TZS|"
    "UAH|UGX|USD|UYU|UZS|VED|VES|VND|VUV|WST|XAF|XCD|XCG|XOF|XPF|YER|ZAR|ZMW|ZWG|";

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

FocusDecimal trimmed(FocusDecimal value) {
  while (value.scale > 0 && value.mantissa % 10 == 0) {
    value.mantissa /= 10;
    --value.scale;
  }
  return value;
}

bool is_currency(std::string_view text) {
  const auto found = text.size() == 3 ? kCurrencies.find(text) : std::string_view::npos;
  return found != std::string_view::npos && found > 0 && kCurrencies[found - 1] == '|' &&
         kCurrencies[found + 3] == '|';
}

bool is_key_values(std::string_view text) {
  const auto parsed = base::parse_json(text);
  if (!parsed.ok() || !parsed->is_object()) return false;
  const auto& object = parsed->get_object();
  return std::none_of(object.begin(), object.end(), [](const auto& entry) {
    return entry.value().is_object() || entry.value().is_array();
  });
}

}  // namespace

std::optional<FocusDecimal> parse_focus_decimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto part = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (!is_digits(whole) || (point != std::string_view::npos && !is_digits(part))) return {};
  if (whole.size() + part.size() > 36) return {};
  FocusDecimal value;
  for (const auto digits : {whole, part}) {
    for (const char c : digits) value.mantissa = value.mantissa * 10 + (c - '0');
  }
  if (negative) value.mantissa = -value.mantissa;
  value.scale = static_cast<int>(part.size());
  return trimmed(value);
}

std::optional<FocusDecimal> product(const FocusDecimal& a, const FocusDecimal& b) {
  FocusDecimal value;
  if (__builtin_mul_overflow(a.mantissa, b.mantissa, &value.mantissa)) return {};
  value.scale = a.scale + b.scale;
  return trimmed(value);
}

std::optional<std::int64_t> parse_focus_time(std::string_view text) {
  if (text.size() != 20 || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      text[19] != 'Z') {
    return {};
  }
  const auto day = parse_day(text.substr(0, 10));
  if (!day.ok()) return {};
  std::int64_t seconds = 0;
  for (const std::size_t at : {std::size_t{11}, std::size_t{14}, std::size_t{17}}) {
    const auto two = text.substr(at, 2);
    if (!is_digits(two)) return {};
    const int value = (two[0] - '0') * 10 + (two[1] - '0');
    if (value >= (at == 11 ? 24 : 60)) return {};
    seconds = seconds * 60 + value;
  }
  return *day + seconds;
}

std::string_view expected_of(FocusType type, std::string_view text) {
  switch (type) {
    case FocusType::text:
      return "";
    case FocusType::decimal:
      return parse_focus_decimal(text) ? "" : "a number like -1.5";
    case FocusType::not_negative: {
      const auto value = parse_focus_decimal(text);
      return value && value->mantissa >= 0 ? "" : "a number like 1.5, not below 0";
    }
    case FocusType::time:
      return parse_focus_time(text) ? "" : "a time like 2026-11-28T00:00:00Z";
    case FocusType::currency:
      return is_currency(text) ? "" : "a currency of ISO 4217 like USD";
    case FocusType::key_values:
      break;
  }
  return is_key_values(text) ? "" : "a JSON object of plain values";
}

}  // namespace plinth::governance
