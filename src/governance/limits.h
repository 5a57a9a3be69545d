// Every bound of governance, with its reason.
#pragma once

#include <chrono>
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

// People. RFC 5321, 4.5.3.1: a path of 256 bytes holds the address and two brackets; 64 before the
// at sign. RFC 1035: 63 of a label.
inline constexpr std::size_t kEmailBytesMax = 254;
inline constexpr std::size_t kEmailLocalBytesMax = 64;
inline constexpr std::size_t kDomainLabelBytesMax = 63;
// Custom roles of an organization or project: a list that people read, and that is read whole.
inline constexpr std::size_t kCustomRolesMax = 100;
// Roles that one user or group has itself, everywhere: each request of a new key reads them.
inline constexpr std::size_t kRolesOfSubjectMax = 1000;
// Projects of an invite.
inline constexpr std::size_t kInviteProjectsMax = 100;
// As OpenAI's: long enough for a holiday, short for a letter that lies about.
inline constexpr std::chrono::hours kInviteTime{7 * 24};

}  // namespace plinth::governance
