#include "governance/quota/deal.h"

#include <algorithm>

#include "governance/limits.h"

namespace plinth::governance {

namespace {

using Wide = __int128;  // limits lowered meanwhile leave more than 64 bits

std::int64_t grant(std::int64_t available, const Offer& offer) {
  // The limit is less than it was: what lies idle goes first.
  if (available < 0) return -std::min(-available, std::max<std::int64_t>(offer.idle, 0));
  // What nobody can use here stays for whoever can.
  if (offer.need_min > available) return 0;
  const auto spare = offer.is_spare_wanted ? available / kBlockShare : 0;
  return std::min(available, std::max(offer.need, spare));
}

// `available` may be less than nothing, and what is idle here is a part of what there is.
std::int64_t grant_overdrawn(std::int64_t available, const Offer& offer) {
  if (available + offer.idle < 0) return 0;
  // For the first that waits alone; whoever comes after it finds less than nothing.
  if (available < offer.need_min) return offer.need_min;
  if (available <= 0) return 0;
  const auto spare = offer.is_spare_wanted ? available / kBlockShare : 0;
  return std::min(available, std::max(offer.need, spare));
}

// Whole units of a level, towards less: a level below 0 is at most -1.
std::int64_t whole(Wide level, std::int64_t period_ms) {
  const auto units = static_cast<std::int64_t>(level / period_ms);
  return level < 0 && level % period_ms != 0 ? units - 1 : units;
}

Deal deal_rate(const QuotaShape& shape, const store::QuotaState& state, const Offer& offer,
               store::QuotaChange& change) {
  const auto period_ms = shape.period_ms;
  const Wide full = Wide{state.limit} * shape.brim_ms;
  Wide room = full - (Wide{state.held_elsewhere} + offer.idle) * period_ms;
  // What came back after an overdraft may lie idle beside a level below 0.
  if (!shape.overdraws) room = std::max<Wide>(0, room);
  Wide level = full;
  auto filled_ms = state.now_ms;
  if (state.level) {
    // Time that steps back counts as none, and is not counted again when it comes back; but after
    // a long step nobody waits for longer than a period.
    filled_ms = state.level->filled_ms;
    if (filled_ms <= state.now_ms || filled_ms > state.now_ms + period_ms) filled_ms = state.now_ms;
    const auto passed = std::max<std::int64_t>(state.now_ms - state.level->filled_ms, 0);
    level = state.level->amount + Wide{passed} * state.limit;
    // What was idle here until a moment ago was full: nothing refilled it before it was taken.
    if (shape.overdraws)
      level = std::min(level, full - (Wide{state.held_elsewhere} + state.held) * period_ms);
    if (!shape.overdraws && offer.level_most) level = std::min(level, *offer.level_most);
    level += Wide{offer.give_back} * period_ms;
  }
  level = std::min(level, room);
  // What the refill has replaced comes back to nobody.
  const auto in_flight = std::min<Wide>(offer.in_flight, (room - level) / period_ms);
  const auto available = whole(level, period_ms);
  Deal done;
  done.granted = shape.overdraws ? grant_overdrawn(available, offer) : grant(available, offer);
  done.level = static_cast<std::int64_t>(level - Wide{done.granted} * period_ms);
  done.left = whole(done.level, period_ms);
  done.held = offer.idle + done.granted + static_cast<std::int64_t>(in_flight);
  change.level = {done.level, filled_ms};
  if (shape.overdraws) {
    // Whoever waits takes its part at once: it is no longer idle when others look.
    const bool is_served = available + offer.idle >= 0;
    if (is_served)
      done.held -= std::clamp<std::int64_t>(offer.wanted, 0, std::max<std::int64_t>(done.held, 0));
    change.idle = done.held;
  }
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

Deal deal(const QuotaShape& shape, const store::QuotaState& state, const Offer& offer,
          store::QuotaChange& change) {
  auto done = shape.kind == QuotaKind::rate    ? deal_rate(shape, state, offer, change)
              : shape.kind == QuotaKind::count ? deal_count(state, offer)
                                               : deal_budget(state, offer);
  done.limit = state.limit;
  done.spent = state.spent;
  change.held = done.held;
  return done;
}

std::int64_t percent_used(const QuotaShape& shape, const store::RateLook& look) {
  if (!look.level || look.limit <= 0) return 0;
  const Wide full = Wide{look.limit} * shape.brim_ms;
  const auto passed = std::max<std::int64_t>(look.now_ms - look.level->filled_ms, 0);
  const auto level = look.level->amount + Wide{passed} * look.limit;
  const auto used = full - level - Wide{look.idle} * shape.period_ms;
  return static_cast<std::int64_t>(std::max<Wide>(used, 0) * 100 / full);
}

}  // namespace plinth::governance
