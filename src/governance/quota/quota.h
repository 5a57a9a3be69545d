// One limit or budget at this gateway: the block that it holds, and what its requests reserved of
// it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "governance/admission.h"
#include "governance/quota/deal.h"
#include "store/lease_store.h"

namespace plinth::governance {

// Of one request, growing: older requests have smaller ones.
using HoldId = std::uint64_t;

// What a request may do with a limit.
enum class Fit : std::uint8_t {
  fits,
  ask,     // the database knows whether it fits
  refused  // refusal() says why
};

// Not thread-safe. `now` is this gateway's monotonic clock.
class Quota {
 public:
  // Of a limit, whose resource governance knows, or of a budget.
  Quota(store::QuotaKey key, std::int64_t limit);

  const store::QuotaKey& key() const { return key_; }
  const QuotaShape& shape() const { return shape_; }
  // Of a limit.
  Resource resource() const { return resource_; }
  bool counts_requests() const;
  bool counts_tokens() const;
  // Of provisioned throughput: input-equivalent tokens.
  bool is_provisioned() const { return shape_.overdraws; }

  std::int64_t limit() const { return limit_; }
  void set_limit(std::int64_t limit);
  // Nobody has it any more, and nothing is refused by it.
  void remove() { gone_ = true; }
  // As far as this gateway knows: what it has and what the database had when it was last asked.
  std::int64_t remaining(base::TimePoint now) const;
  // What no other gateway can take: its block.
  std::int64_t remaining_at_least() const { return std::max<std::int64_t>(idle_, 0); }
  // Until all of it is there again.
  base::Duration reset(base::TimePoint now) const { return until(limit_, now); }

  Fit fit(std::int64_t amount, base::TimePoint now) const;
  // Whether anything is left at all.
  Fit fit_any(base::TimePoint now) const;
  absl::Status refusal(std::int64_t amount, const std::string& model, base::TimePoint now) const;

  // Of a rate, before take() and settle(). What is taken from what lay idle was there beside the
  // level until now, which had no more room than that left; of provisioned throughput, of what
  // requests in flight reserved, nothing comes back that may have refilled meanwhile.
  void decay(base::TimePoint now);
  // It fits.
  void take(HoldId hold, std::int64_t amount);
  // At the end of a request that took `taken` and used `used` of it: a rate keeps what was used, a
  // count gives back everything, a budget paid `used`.
  void settle(HoldId hold, std::int64_t taken, std::int64_t used);
  // The same where nobody knows whether the database charged it: what it took comes back when the
  // database says so.
  void abandon(HoldId hold) { take_flight(hold); }

  // A request waits for so much more than fits; 0 = for what the database knows.
  void want(std::int64_t amount);
  // Asks for a spare block in the background; true once for each time it is worth it.
  bool is_low(base::TimePoint now);
  // What lies idle for too long goes back, and the database hears what was used.
  void tick();
  // What the next exchange asks, if anything; forgets what was wanted.
  std::optional<Offer> offer(base::TimePoint now);
  void apply(const Deal& deal, base::TimePoint now);
  // The lease is lost and everything held under it.
  void lapse();
  // The gateway ends: everything idle goes back.
  void retire();

 private:
  base::Duration until(std::int64_t amount, base::TimePoint now) const;
  // In the database, if nobody else took any since.
  std::int64_t left(base::TimePoint now) const {
    return static_cast<std::int64_t>(left_level(now) / shape_.period_ms);
  }
  __int128 left_level(base::TimePoint now) const;
  // Of what overdraws: below 0 nobody gets any.
  __int128 available_level(base::TimePoint now) const {
    return __int128{idle_} * shape_.period_ms + left_level(now);
  }
  void shrink_to(std::int64_t held);
  void cut_flight(std::int64_t& excess);
  std::int64_t take_flight(HoldId hold);
  void decay_provisioned(base::TimePoint now);
  __int128 full_level() const { return __int128{limit_} * shape_.brim_ms; }
  // The lower of two, as they are at `now` with the refill until then.
  struct Bound {
    __int128 level = 0;
    base::TimePoint at{};
  };
  std::optional<Bound> lower(const std::optional<Bound>& a, const std::optional<Bound>& b,
                             base::TimePoint now) const;

  const store::QuotaKey key_;
  const Resource resource_;
  const QuotaShape shape_;

  std::int64_t limit_;
  std::int64_t idle_ = 0;  // below 0: a budget paid what was not reserved of it
  std::map<HoldId, std::int64_t> flight_;
  std::int64_t in_flight_ = 0;   // their sum
  std::int64_t decayed_ms_ = 0;  // of the monotonic clock
  __int128 decay_ = 0;           // that is due, in units times milliseconds of the period

  // What the level cannot have passed, for what was taken since the last offer, and for what that
  // offer told the database, until it has answered.
  std::optional<Bound> bound_, offered_;

  // What the last exchange said; nothing before the first.
  std::optional<base::TimePoint> known_at_;
  std::int64_t level_ = 0, spent_ = 0, held_ = 0;
  std::int64_t block_ = 0;  // the last one that came

  bool stale_ = false;  // the limit has changed since
  bool gone_ = false;

  bool wanted_ = false, low_ = false, report_ = false;
  std::int64_t need_ = 0, need_min_ = 0, give_back_ = 0;
  std::int64_t used_ = 0, demand_ = 0;  // in this tick, and as a fading maximum of those before
  int quiet_ticks_ = 0;
  std::uint64_t moves_ = 0;                   // takes and settlements
  std::optional<std::uint64_t> quiet_since_;  // moves_ at an offer without requests in flight
};

}  // namespace plinth::governance
