#include "governance/quota/quota.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "governance/deployment_limits.h"
#include "governance/limits.h"
#include "governance/money.h"
#include "governance/refusal.h"

namespace plinth::governance {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::int64_t kMinuteMs = 60'000, kDayMs = 86'400'000;

Resource resource_of(const store::QuotaKey& key) {
  return key.is_budget ? Resource{} : *resource_named(key.name);
}

QuotaKind kind_of(const store::QuotaKey& key) {
  if (key.is_budget) return QuotaKind::budget;
  const auto resource = resource_of(key);
  return resource == Resource::parallel_requests || resource == Resource::queued_tokens
             ? QuotaKind::count
             : QuotaKind::rate;
}

QuotaShape shape_of(const store::QuotaKey& key) {
  QuotaShape shape{kind_of(key)};
  if (shape.kind != QuotaKind::rate) return shape;
  shape.period_ms = resource_of(key) == Resource::requests_per_day ? kDayMs : kMinuteMs;
  shape.overdraws = resource_of(key) == Resource::provisioned_tokens;
  shape.brim_ms = shape.overdraws ? kBrimMs : shape.period_ms;
  return shape;
}

// As OpenAI's messages name them.
std::string_view unit_of(Resource resource) {
  switch (resource) {
    case Resource::requests_per_minute:
      return "requests per min (RPM)";
    case Resource::tokens_per_minute:
      return "tokens per min (TPM)";
    case Resource::requests_per_day:
      return "requests per day (RPD)";
    case Resource::parallel_requests:
      return "requests at once";
    case Resource::provisioned_tokens:
    case Resource::queued_tokens:
      break;
  }
  return "tokens in progress";
}

// Requests that run end at their own pace: worth another look after so long.
constexpr std::chrono::seconds kLookAgain{1};
// A refusal that is answered from what was known a moment ago says at least this.
constexpr milliseconds kSoonest{1};

}  // namespace

Quota::Quota(store::QuotaKey key, std::int64_t limit)
    : key_(std::move(key)), resource_(resource_of(key_)), shape_(shape_of(key_)), limit_(limit) {}

void Quota::set_limit(std::int64_t limit) {
  stale_ |= gone_ || limit != limit_;
  gone_ = false;
  limit_ = limit;
  if (shape_.kind == QuotaKind::rate) idle_ = std::min(idle_, limit_);
}

bool Quota::counts_tokens() const {
  return shape_.kind != QuotaKind::budget &&
         (resource_ == Resource::tokens_per_minute || resource_ == Resource::queued_tokens);
}
bool Quota::counts_requests() const {
  return shape_.kind != QuotaKind::budget && !counts_tokens() && !is_provisioned();
}

__int128 Quota::left_level(base::TimePoint now) const {
  const auto full = __int128{limit_} * shape_.brim_ms;
  if (shape_.kind != QuotaKind::rate) return known_at_ ? level_ : limit_;
  if (!known_at_) return full;
  const auto passed =
      std::max<std::int64_t>(duration_cast<milliseconds>(now - *known_at_).count(), 0);
  return std::min(full, level_ + __int128{passed} * limit_);
}

std::int64_t Quota::remaining(base::TimePoint now) const {
  const auto all = idle_ + left(now);
  return std::max<std::int64_t>(shape_.kind == QuotaKind::rate ? std::min(all, limit_) : all, 0);
}

base::Duration Quota::until(std::int64_t amount, base::TimePoint now) const {
  if (shape_.kind != QuotaKind::rate) return {};
  if (amount > limit_) return base::Duration::max();
  const auto missing = __int128{amount - idle_} * shape_.period_ms - left_level(now);
  if (missing <= 0) return {};
  return milliseconds(static_cast<std::int64_t>((missing + limit_ - 1) / limit_));
}

Fit Quota::fit(std::int64_t amount, base::TimePoint now) const {
  if (gone_) return Fit::fits;
  if (amount > limit_ && !is_provisioned()) return Fit::refused;
  if (!known_at_ || stale_) return Fit::ask;
  if (is_provisioned()) {
    const auto any = fit_any(now);
    return any == Fit::fits && amount > std::max<std::int64_t>(idle_, 0) ? Fit::ask : any;
  }
  if (amount <= std::max<std::int64_t>(idle_, 0)) return Fit::fits;
  if (amount <= idle_ + left(now)) return Fit::ask;
  return now - *known_at_ < kTrust ? Fit::refused : Fit::ask;
}

Fit Quota::fit_any(base::TimePoint now) const {
  if (gone_) return Fit::fits;
  if (!known_at_ || stale_) return Fit::ask;
  const bool is_known = now - *known_at_ < kTrust;
  if (is_provisioned() && available_level(now) >= 0) {
    // Whoever is refused later does not spill over: others may have used it up since.
    return idle_ > 0 || is_known ? Fit::fits : Fit::ask;
  }
  if (!is_provisioned() && idle_ + left(now) > 0) return Fit::fits;
  return is_known ? Fit::refused : Fit::ask;
}

absl::Status Quota::refusal(std::int64_t amount, const std::string& model,
                            base::TimePoint now) const {
  if (shape_.kind == QuotaKind::budget) {
    const auto reserved = std::max<std::int64_t>(limit_ - spent_ - remaining(now), 0);
    const auto more =
        amount == 0 ? std::string() : fmt::format(" {} would be needed.", format_money(amount));
    return refuse(
        fmt::format("You exceeded the current quota: the budget of {} {} a {} is {}, of "
                    "which {} is spent and {} reserved by requests and jobs in progress.{}",
                    key_.scope_kind, key_.scope, key_.name, format_money(limit_),
                    format_money(spent_), format_money(reserved), more),
        {RefusalKind::budget, std::nullopt});
  }
  if (is_provisioned()) {
    return refuse(fmt::format("The provisioned throughput of the deployment `{}`, {} tokens a "
                              "minute, is used up for now.",
                              key_.scope.substr(key_.scope.find('/') + 1), limit_),
                  {RefusalKind::tokens, std::max<base::Duration>(until(0, now), kSoonest)});
  }
  const auto scope = fmt::format("{} {}", key_.scope_kind, key_.scope);
  if (amount > limit_) {
    return refuse(fmt::format("Request too large for {} in {} on {}: Limit {}, Requested {}. The "
                              "input or the maximum of the output must be reduced.",
                              model, scope, unit_of(resource_), limit_, amount),
                  {RefusalKind::too_large, std::nullopt});
  }
  const auto wait =
      shape_.kind == QuotaKind::rate ? until(amount, now) : base::Duration(kLookAgain);
  return refuse(
      fmt::format("Rate limit reached for {} in {} on {}: Limit {}, Used {}, Requested {}. Please "
                  "try again in {:.3g}s.",
                  model, scope, unit_of(resource_), limit_, limit_ - remaining(now), amount,
                  std::chrono::duration<double>(wait).count()),
      {counts_tokens() ? RefusalKind::tokens : RefusalKind::requests, wait});
}

void Quota::take(HoldId hold, std::int64_t amount) {
  if (gone_) return;
  CHECK(known_at_ && !stale_ && amount <= std::max<std::int64_t>(idle_, 0));
  idle_ -= amount;
  used_ += amount;
  // A request was one, whatever becomes of it.
  if (!counts_requests() || shape_.kind != QuotaKind::rate) {
    flight_[hold] += amount;
    in_flight_ += amount;
  }
  ++moves_;
}

void Quota::decay(base::TimePoint now) {
  if (is_provisioned()) return decay_provisioned(now);
  if (shape_.kind != QuotaKind::rate || !known_at_) return;
  bound_ = lower(bound_, Bound{full_level() - __int128{idle_} * shape_.period_ms, now}, now);
}

std::optional<Quota::Bound> Quota::lower(const std::optional<Bound>& a,
                                         const std::optional<Bound>& b, base::TimePoint now) const {
  std::optional<Bound> least;
  for (const auto& bound : {a, b}) {
    if (!bound) continue;
    const auto passed =
        std::max<std::int64_t>(duration_cast<milliseconds>(now - bound->at).count(), 0);
    const auto level = bound->level + __int128{passed} * limit_;
    if (!least || level < least->level) least = Bound{level, now};
  }
  return least;
}

void Quota::decay_provisioned(base::TimePoint now) {
  const auto now_ms = duration_cast<milliseconds>(now.time_since_epoch()).count();
  const auto passed = std::max<std::int64_t>(now_ms - std::exchange(decayed_ms_, now_ms), 0);
  if (flight_.empty()) {
    decay_ = 0;
    return;
  }
  // All that refills may replace what this gateway reserved: others assume the same of theirs.
  decay_ += __int128{passed} * limit_;
  const auto cut = decay_ <= 0 ? 0 : (decay_ + shape_.period_ms - 1) / shape_.period_ms;
  decay_ -= cut * shape_.period_ms;
  auto excess = static_cast<std::int64_t>(std::min<__int128>(cut, in_flight_));
  cut_flight(excess);
}

std::int64_t Quota::take_flight(HoldId hold) {
  const auto found = flight_.find(hold);
  if (found == flight_.end()) return 0;
  const auto reserved = found->second;
  in_flight_ -= reserved;
  flight_.erase(found);
  return reserved;
}

void Quota::settle(HoldId hold, std::int64_t taken, std::int64_t used) {
  ++moves_;
  const auto reserved = take_flight(hold);
  if (shape_.kind == QuotaKind::rate) {
    idle_ += std::min(reserved, std::max<std::int64_t>(taken - used, 0));
  } else if (shape_.kind == QuotaKind::count) {
    idle_ += reserved;
  } else {
    // Where the gateway holds nothing yet, the row charged no block.
    idle_ += reserved - (known_at_ ? used : 0);
  }
}

}  // namespace plinth::governance
