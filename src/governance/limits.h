// Every bound of governance, with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "store/ledger_writer.h"
#include "store/limits.h"

namespace plinth::governance {

// Of one token, in pico-units: 10,000 units of money for a million tokens. With kTokensMax it keeps
// what one request may cost within 64 bits.
inline constexpr std::int64_t kPricePicoMax = 10'000'000'000;
// Of one request, input and output: 128 choices of 4 million tokens.
inline constexpr std::int64_t kTokensMax = std::int64_t{1} << 29;
static_assert(kTokensMax <= INT64_MAX / kPricePicoMax, "a request's cost fits 64 bits");

// Of any limit: a rate's level counts in parts of a day's milliseconds.
inline constexpr std::int64_t kLimitMax = 100'000'000;
static_assert(kLimitMax <= INT64_MAX / 86'400'000, "a rate's level fits 64 bits");

// Of a budget: a million units of money a day or month.
inline constexpr std::int64_t kBudgetPicoMax = 1'000'000'000'000'000'000;

// People. RFC 5321, 4.5.3.1: a path of 256 bytes holds the address and two brackets; 64 before the
// at sign. RFC 1035: 63 of a label.
inline constexpr std::size_t kEmailBytesMax = 254;
inline constexpr std::size_t kEmailLocalBytesMax = 64;
inline constexpr std::size_t kDomainLabelBytesMax = 63;
// Custom roles of an organization or project: a list that people read, and that is read whole.
inline constexpr std::size_t kCustomRolesMax = 100;
// Of a key: lists show its name in a column, and whoever wants one for longer wants one for good.
inline constexpr std::size_t kKeyNameBytesMax = 256;
inline constexpr std::int64_t kKeyLifetimeMaxS = std::int64_t{100} * 365 * 86'400;
// Roles that one user or group has itself, everywhere: each request of a new key reads them.
inline constexpr std::size_t kRolesOfSubjectMax = 1000;
// Projects of an invite.
inline constexpr std::size_t kInviteProjectsMax = 100;
// As OpenAI's: long enough for a holiday, short for a letter that lies about.
inline constexpr std::chrono::hours kInviteTime{7 * 24};
// Of one project or the organization: people set a handful, and each look reads them all.
inline constexpr std::int64_t kSpendAlertsMax = 100;
// Of one alert: a larger circle has a mailing list.
inline constexpr std::size_t kAlertRecipientsMax = 50;
inline constexpr std::size_t kAlertPrefixBytesMax = 256;
// Between looks at what was spent: an alert is late by so much and the time of its letter.
inline constexpr std::chrono::seconds kAlertTick{5};
// A notice that could not be delivered is tried again after this, by whatever gateway; its
// deliverer has given up by then.
inline constexpr std::chrono::seconds kNoticeRetry{60};
// Notices that one look delivers: others wait for the next, so that a slow webhook does not keep
// the thread for ever.
inline constexpr int kNoticesAtOnce = 20;
// A block is one part in so many of what is left: the last of a limit goes out in ever smaller
// ones, and seven gateways may come after the first.
inline constexpr std::int64_t kBlockShare = 8;
// A gateway stops spending so long before its lease ends by the database's clock: what clocks that
// are not set may differ by in a lease's time, a hundred times over.
inline constexpr std::chrono::seconds kLeaseMargin{5};
// Three tries before the lease ends.
inline constexpr std::chrono::seconds kLeaseRenewal{15};
static_assert(3 * kLeaseRenewal + kLeaseMargin < store::kLease);
static_assert(store::LedgerWriter::kAwayMax + kLeaseRenewal + kLeaseMargin < store::kLease,
              "a row that waits for the database does not outlive its lease");
// What the database said of a limit is believed for so long, and refusals need no question: so
// often others may have given back what somebody is refused.
inline constexpr std::chrono::milliseconds kTrust{200};
// Between looks at what lies idle.
inline constexpr std::chrono::seconds kBlockTick{1};
// A gateway keeps what it used in a tick so many times over.
inline constexpr std::int64_t kTicksKept = 4;
// Ticks without use after which it keeps nothing.
inline constexpr int kQuietTicks = 2;
// Between two transactions about blocks: at most fifty a second, where every request is one too
// many for what is left. A request waits no longer for it than for its first token.
inline constexpr std::chrono::milliseconds kExchangeGap{20};
// Requests wait so long for a database that is away, as the ledger's rows do.
inline constexpr std::chrono::seconds kBlockWait{30};
// While it is away it is tried so often.
inline constexpr std::chrono::milliseconds kAwayRetry{200};
// Requests that wait for blocks: as many as a server has connections.
inline constexpr std::size_t kBlockWaitersMax = 4096;
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
