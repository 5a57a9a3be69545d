#include "governance/quota/quota.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
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

std::int64_t period_of(const store::QuotaKey& key) {
  if (kind_of(key) != QuotaKind::rate) return 1;
  return resource_of(key) == Resource::requests_per_day ? kDayMs : kMinuteMs;
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
    case Resource::queued_tokens:
      break;
  }
  return "tokens in progress";
}

// Requests that run end at their own pace: worth another look after so long.
constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

Quota::Quota(store::QuotaKey key, std::int64_t limit)
    : key_(std::move(key)),
      kind_(kind_of(key_)),
      resource_(resource_of(key_)),
      period_ms_(period_of(key_)),
      limit_(limit) {}

void Quota::set_limit(std::int64_t limit) {
  stale_ |= gone_ || limit != limit_;
  gone_ = false;
  limit_ = limit;
  if (kind_ == QuotaKind::rate) idle_ = std::min(idle_, limit_);
}

bool Quota::counts_tokens() const {
  return kind_ != QuotaKind::budget &&
         (resource_ == Resource::tokens_per_minute || resource_ == Resource::queued_tokens);
}
bool Quota::counts_requests() const { return kind_ != QuotaKind::budget && !counts_tokens(); }

std::int64_t Quota::in_flight() const {
  return std::accumulate(flight_.begin(), flight_.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& entry) { return sum + entry.second; });
}

__int128 Quota::left_level(base::TimePoint now) const {
  if (!known_at_) return __int128{limit_} * period_ms_;
  if (kind_ != QuotaKind::rate) return level_;
  const auto passed = std::clamp<std::int64_t>(
      duration_cast<milliseconds>(now - *known_at_).count(), 0, period_ms_);
  return std::min(__int128{limit_} * period_ms_, level_ + __int128{passed} * limit_);
}

std::int64_t Quota::remaining(base::TimePoint now) const {
  return std::max<std::int64_t>(idle_ + left(now), 0);
}

base::Duration Quota::until(std::int64_t amount, base::TimePoint now) const {
  if (kind_ != QuotaKind::rate) return {};
  if (amount > limit_) return base::Duration::max();
  const auto missing = __int128{amount - idle_} * period_ms_ - left_level(now);
  if (missing <= 0) return {};
  return milliseconds(static_cast<std::int64_t>((missing + limit_ - 1) / limit_));
}

Fit Quota::fit(std::int64_t amount, base::TimePoint now) const {
  if (gone_) return Fit::fits;
  if (amount > limit_) return Fit::refused;
  if (!known_at_ || stale_) return Fit::ask;
  if (amount <= std::max<std::int64_t>(idle_, 0)) return Fit::fits;
  if (amount <= idle_ + left(now)) return Fit::ask;
  return now - *known_at_ < kTrust ? Fit::refused : Fit::ask;
}

Fit Quota::fit_any(base::TimePoint now) const {
  if (gone_) return Fit::fits;
  if (!known_at_ || stale_) return Fit::ask;
  if (idle_ + left(now) > 0) return Fit::fits;
  return now - *known_at_ < kTrust ? Fit::refused : Fit::ask;
}

absl::Status Quota::refusal(std::int64_t amount, const std::string& model,
                            base::TimePoint now) const {
  if (kind_ == QuotaKind::budget) {
    const auto reserved = std::max<std::int64_t>(limit_ - spent_ - remaining(now), 0);
    return refuse(fmt::format("You exceeded the current quota: the budget of {} {} a {} is {}, of "
                              "which {} is spent and {} reserved by requests in progress.",
                              key_.scope_kind, key_.scope, key_.name, format_money(limit_),
                              format_money(spent_), format_money(reserved)),
                  {RefusalKind::budget, std::nullopt});
  }
  const auto scope = fmt::format("{} {}", key_.scope_kind, key_.scope);
  if (amount > limit_) {
    return refuse(fmt::format("Request too large for {} in {} on {}: Limit {}, Requested {}. The "
                              "input or the maximum of the output must be reduced.",
                              model, scope, unit_of(resource_), limit_, amount),
                  {RefusalKind::too_large, std::nullopt});
  }
  const auto wait = kind_ == QuotaKind::rate ? until(amount, now) : base::Duration(kLookAgain);
  return refuse(
      fmt::format("Rate limit reached for {} in {} on {}: Limit {}, Used {}, Requested {}. Please "
                  "try again in {:.3g}s.",
                  model, scope, unit_of(resource_), limit_, limit_ - remaining(now), amount,
                  std::chrono::duration<double>(wait).count()),
      {counts_tokens() ? RefusalKind::tokens : RefusalKind::requests, wait});
}

void Quota::take(HoldId hold, std::int64_t amount) {
  if (gone_) return;
  CHECK(fit(amount, *known_at_) == Fit::fits);
  idle_ -= amount;
  used_ += amount;
  // A request was one, whatever becomes of it.
  if (kind_ != QuotaKind::rate || counts_tokens()) flight_[hold] += amount;
  ++moves_;
}

void Quota::settle(HoldId hold, std::int64_t taken, std::int64_t used) {
  ++moves_;
  std::int64_t reserved = 0;
  if (const auto found = flight_.find(hold); found != flight_.end()) {
    reserved = found->second;
    flight_.erase(found);
  }
  if (kind_ == QuotaKind::rate) {
    idle_ += std::min(reserved, std::max<std::int64_t>(taken - used, 0));
  } else if (kind_ == QuotaKind::count) {
    idle_ += reserved;
  } else {
    // Where the gateway holds nothing yet, the row charged no block.
    idle_ += reserved - (known_at_ ? used : 0);
  }
}

}  // namespace plinth::governance
