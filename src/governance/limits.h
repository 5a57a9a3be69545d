// Every bound of governance, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// Of one token, in pico-units: 10,000 units of money for a million tokens. With kTokensMax it keeps
// what one request may cost within 64 bits.
inline constexpr std::int64_t kPricePicoMax = 10'000'000'000;
// Of one request, input and output: 128 choices of 4 million tokens.
inline constexpr std::int64_t kTokensMax = std::int64_t{1} << 29;
static_assert(kTokensMax <= INT64_MAX / kPricePicoMax, "a request's cost fits 64 bits");

// Of any limit: a bucket counts in parts of a day's microseconds.
inline constexpr std::int64_t kLimitMax = 100'000'000;
static_assert(kLimitMax <= INT64_MAX / 86'400'000'000, "a bucket's level fits 64 bits");

// Of a budget: a million units of money a day or month.
inline constexpr std::int64_t kBudgetPicoMax = 1'000'000'000'000'000'000;

// Of a price book in a file: a rerating looks through them for every row.
inline constexpr std::size_t kPriceFileRowsMax = 10'000;

// Of an hour of one device: a thousand units of money, a hundred times what the dearest is rented
// for.
inline constexpr std::int64_t kDeviceHourPicoMax = 1'000'000'000'000'000;
inline constexpr std::int64_t kDevicesMax = 100'000;

// Of one row of a CSV file: 57 columns of a few hundred bytes, and tags.
inline constexpr std::size_t kCsvRowBytesMax = 1u << 20;
// What a check of an export names: who sees a hundred wrong cells knows enough.
inline constexpr std::size_t kFocusFindingsMax = 100;

}  // namespace plinth::governance
