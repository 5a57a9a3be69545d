// How much of a limit a gateway gets to hold: the arithmetic of blocks, on one limit or budget as a
// transaction finds it.
//
// At any time, over all gateways together:
//   a rate    level + idle + in flight <= limit, and only the refill adds to that sum
//   a count   idle + in flight <= limit
//   a budget  spent + idle + in flight <= limit
// Only what is idle at a gateway is given to requests. So of any window of w seconds a rate lets
// through at most limit * (brim + w) / period.
//
// Of provisioned throughput, which is a leaky bucket upside down, a request may take more than is
// left wherever nothing is owed: the level is below 0 then, and nobody gets more until it has
// refilled. A window lets through one request more, the largest, over all gateways. What is in
// flight does not count here, since its gateway lets go of it as fast as it may refill:
//   level + idle <= brim
#pragma once

#include <cstdint>
#include <optional>

#include "store/lease_store.h"

namespace plinth::governance {

enum class QuotaKind : std::uint8_t { rate, count, budget };

struct QuotaShape {
  QuotaKind kind = QuotaKind::rate;
  std::int64_t period_ms = 1;  // of a rate: in which it refills its limit
  std::int64_t brim_ms = 1;    // what refills in this time is the most that is there at once
  bool overdraws = false;      // of a rate
};

// What a gateway has and wants of one limit. All numbers are units (tokens, requests, pico-units of
// money).
struct Offer {
  std::int64_t idle = 0;       // that it keeps
  std::int64_t in_flight = 0;  // reserved by requests that are not over; of a rate, what of it
                               // may still come back
  std::int64_t give_back = 0;
  std::int64_t need = 0;         // of all requests that wait, beyond what is idle
  std::int64_t need_min = 0;     // of the one that needs least; where they overdraw, of the first
  std::int64_t wanted = 0;       // by all that wait, with what is idle
  bool is_spare_wanted = false;  // so that later requests find some
  // Of a rate: what its level cannot have passed, since blocks that were taken lay beside it.
  std::optional<__int128> level_most = {};
};

struct Deal {
  std::int64_t granted = 0;
  std::int64_t held = 0;   // by this gateway, as the database has it
  std::int64_t left = 0;   // in the database, for whoever asks next
  std::int64_t level = 0;  // the same of a rate, in units times milliseconds of the period
  std::int64_t limit = 0, spent = 0;
};

Deal deal(const QuotaShape& shape, const store::QuotaState& state, const Offer& offer,
          store::QuotaChange& change);

// How much of a rate is in use, in whole percent of its brim; over 100 after an overdraft.
std::int64_t percent_used(const QuotaShape& shape, const store::RateLook& look);

}  // namespace plinth::governance
