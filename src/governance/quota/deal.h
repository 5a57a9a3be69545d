// How much of a limit a gateway gets to hold: the arithmetic of blocks, on one limit or budget as a
// transaction finds it.
//
// At any time, over all gateways together:
//   a rate    level + idle + in flight <= limit, and only the refill adds to that sum
//   a count   idle + in flight <= limit
//   a budget  spent + idle + in flight <= limit
// Only what is idle at a gateway is given to requests. So of any window of w seconds a rate lets
// through at most limit * (1 + w / period).
#pragma once

#include <cstdint>

#include "store/lease_store.h"

namespace plinth::governance {

enum class QuotaKind : std::uint8_t { rate, count, budget };

// What a gateway has and wants of one limit. All numbers are units (tokens, requests, pico-units of
// money).
struct Offer {
  std::int64_t idle = 0;       // that it keeps
  std::int64_t in_flight = 0;  // reserved by requests that are not over; of a rate, what of it
                               // may still come back
  std::int64_t give_back = 0;
  std::int64_t need = 0;         // of all requests that wait, beyond what is idle
  std::int64_t need_min = 0;     // of the one that needs least
  bool is_spare_wanted = false;  // so that later requests find some
};

struct Deal {
  std::int64_t granted = 0;
  std::int64_t held = 0;   // by this gateway, as the database has it
  std::int64_t left = 0;   // in the database, for whoever asks next
  std::int64_t level = 0;  // the same of a rate, in units times milliseconds of the period
  std::int64_t limit = 0, spent = 0;
};

// period_ms: of a rate.
Deal deal(QuotaKind kind, std::int64_t period_ms, const store::QuotaState& state,
          const Offer& offer, store::QuotaChange& change);

}  // namespace plinth::governance
