// Quota's dealings with the database.
#include <algorithm>
#include <utility>

#include "governance/limits.h"
#include "governance/quota/quota.h"

namespace plinth::governance {

void Quota::want(std::int64_t amount) {
  const auto missing = std::max<std::int64_t>(amount - idle_, 0);
  if (is_provisioned()) {
    if (need_min_ == 0) need_min_ = missing;
  } else {
    need_min_ = wanted_ ? std::min(need_min_, missing) : missing;
  }
  need_ += amount;
  wanted_ = true;
}

bool Quota::is_low(base::TimePoint now) {
  if (low_ || gone_ || !known_at_ || idle_ >= block_ / 4) return false;
  // Near the limit a new block would be no better.
  low_ = left(now) / kBlockShare > std::max<std::int64_t>(idle_, 0);
  return low_;
}

void Quota::tick() {
  quiet_ticks_ = used_ == 0 ? quiet_ticks_ + 1 : 0;
  demand_ = std::max(used_, demand_ / 2);
  used_ = 0;
  if (!known_at_) return;
  const auto keep = quiet_ticks_ >= kQuietTicks ? 0 : kTicksKept * demand_;
  if (idle_ > 0 && idle_ / 2 >= keep) {
    give_back_ = idle_ - keep;
    idle_ = keep;
  }
  report_ = give_back_ > 0;
  // Others get what was used here only once the database knows; and what may come back here keeps
  // it from them.
  if (is_provisioned()) {
    report_ |= held_ != idle_;
  } else if (shape_.kind == QuotaKind::rate) {
    report_ |= !flight_.empty() || held_ > idle_;
  }
}

std::optional<Offer> Quota::offer(base::TimePoint now) {
  if (!wanted_ && !low_ && !report_) return std::nullopt;
  Offer offer;
  offer.idle = idle_;
  offer.in_flight = is_provisioned() ? 0 : in_flight_;
  offer.give_back = std::exchange(give_back_, 0);
  offer.need = std::max<std::int64_t>(need_ - idle_, 0);
  offer.need_min = need_min_;
  offer.wanted = need_;
  offer.is_spare_wanted = wanted_ || low_;
  offered_ = lower(std::exchange(bound_, std::nullopt), offered_, now);
  if (offered_) offer.level_most = offered_->level;
  quiet_since_ = flight_.empty() ? std::optional(moves_) : std::nullopt;
  need_ = need_min_ = 0;
  wanted_ = low_ = report_ = false;
  return offer;
}

void Quota::apply(const Deal& deal, base::TimePoint now) {
  known_at_ = now;
  stale_ = false;
  offered_.reset();
  limit_ = deal.limit;
  spent_ = deal.spent;
  level_ = shape_.kind == QuotaKind::rate ? deal.level : deal.left;
  held_ = deal.held;
  idle_ += deal.granted;
  if (deal.granted > 0) block_ = deal.granted;
  if (shape_.kind == QuotaKind::rate && !is_provisioned()) shrink_to(deal.held);
  // While nothing is under way the database's number is the right one: what an exchange or a
  // settlement left in doubt, whose answer was lost, ends here.
  if (shape_.kind == QuotaKind::budget && quiet_since_ == moves_) idle_ = deal.held;
}

// The oldest requests first: the refill has replaced what they took.
void Quota::cut_flight(std::int64_t& excess) {
  while (excess > 0 && !flight_.empty()) {
    const auto oldest = flight_.begin();
    const auto cut = std::min(excess, oldest->second);
    oldest->second -= cut;
    in_flight_ -= cut;
    excess -= cut;
    if (oldest->second == 0) flight_.erase(oldest);
  }
}

void Quota::shrink_to(std::int64_t held) {
  auto excess = idle_ + in_flight_ - held;
  cut_flight(excess);
  if (excess > 0) idle_ -= excess;
}

void Quota::lapse() {
  idle_ = level_ = held_ = block_ = give_back_ = 0;
  known_at_.reset();
  bound_.reset();
  offered_.reset();
  // A request that runs goes on, and is counted under the next lease.
  if (shape_.kind != QuotaKind::count) {
    flight_.clear();
    in_flight_ = 0;
  }
  report_ = !flight_.empty();
}

void Quota::retire() {
  if (!known_at_ || idle_ <= 0) return;
  give_back_ += idle_;
  idle_ = 0;
  report_ = true;
}

}  // namespace plinth::governance
