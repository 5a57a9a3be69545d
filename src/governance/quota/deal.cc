#include "governance/quota/deal.h"

#include <algorithm>

#include "governance/limits.h"

namespace plinth::governance {

namespace {

std::int64_t grant(std::int64_t available, const Offer& offer) {
  // The limit is less than it was: what lies idle goes first.
  if (available < 0) return -std::min(-available, std::max<std::int64_t>(offer.idle, 0));
  // What nobody can use here stays for whoever can.
  if (offer.need_min > available) return 0;
  const auto spare = offer.is_spare_wanted ? available / kBlockShare : 0;
  return std::min(available, std::max(offer.need, spare));
}

Deal deal_rate(std::int64_t period_ms, const store::QuotaState& state, const Offer& offer,
               store::QuotaChange& change) {
  using Wide = __int128;  // limits lowered meanwhile leave more than 64 bits
  const Wide room =
      std::max<Wide>(0, Wide{state.limit} - state.held_elsewhere - offer.idle) * period_ms;
  Wide level = Wide{state.limit} * period_ms;
  auto filled_ms = state.now_ms;
  if (state.level) {
    // Time that steps back counts as none, and is not counted again when it comes back; but after
    // a long step nobody waits for longer than a period.
    filled_ms = state.level->filled_ms;
    if (filled_ms <= state.now_ms || filled_ms > state.now_ms + period_ms) filled_ms = state.now_ms;
    const auto passed =
        std::clamp<std::int64_t>(state.now_ms - state.level->filled_ms, 0, period_ms);
    level = state.level->amount + Wide{passed} * state.limit + Wide{offer.give_back} * period_ms;
  }
  level = std::min(level, room);
  // What the refill has replaced comes back to nobody.
  const auto in_flight = std::min<Wide>(offer.in_flight, (room - level) / period_ms);
  Deal done;
  done.granted = grant(static_cast<std::int64_t>(level / period_ms), offer);
  done.level = static_cast<std::int64_t>(level - Wide{done.granted} * period_ms);
  done.left = done.level / period_ms;
  done.held = offer.idle + done.granted + static_cast<std::int64_t>(in_flight);
  change.level = {done.level, filled_ms};
  return done;
}

Deal deal_count(const store::QuotaState& state, const Offer& offer) {
  Deal done;
  const auto kept = offer.idle + offer.in_flight;
  const auto available = state.limit - state.held_elsewhere - kept;
  done.granted = grant(available, offer);
  done.held = kept + done.granted;
  done.left = std::max<std::int64_t>(available - done.granted, 0);
  return done;
}

Deal deal_budget(const store::QuotaState& state, const Offer& offer) {
  Deal done;
  // What is held counts as the database says: rows of the ledger charge it at any time.
  const auto kept = state.held - offer.give_back;
  const auto available =
      state.limit - state.spent - state.held_elsewhere - std::max<std::int64_t>(kept, 0);
  done.granted = grant(available, offer);
  done.held = kept + done.granted;
  done.left = std::max<std::int64_t>(available - done.granted, 0);
  return done;
}

}  // namespace

Deal deal(QuotaKind kind, std::int64_t period_ms, const store::QuotaState& state,
          const Offer& offer, store::QuotaChange& change) {
  auto done = kind == QuotaKind::rate    ? deal_rate(period_ms, state, offer, change)
              : kind == QuotaKind::count ? deal_count(state, offer)
                                         : deal_budget(state, offer);
  done.limit = state.limit;
  done.spent = state.spent;
  change.held = done.held;
  return done;
}

}  // namespace plinth::governance
