#include "governance/quota/gauge.h"

#include <fmt/format.h>

#include <algorithm>

namespace plinth::governance {

namespace {

constexpr std::chrono::hours kDay{24};
constexpr std::chrono::minutes kMinute{1};

std::optional<base::Duration> period_of(Resource resource) {
  switch (resource) {
    case Resource::requests_per_minute:
    case Resource::tokens_per_minute:
      return kMinute;
    case Resource::requests_per_day:
      return kDay;
    case Resource::parallel_requests:
    case Resource::queued_tokens:
      break;
  }
  return std::nullopt;
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

RefusalKind kind_of(Resource resource) {
  return resource == Resource::tokens_per_minute || resource == Resource::queued_tokens
             ? RefusalKind::tokens
             : RefusalKind::requests;
}

// Requests that run end at their own pace: worth another look after so long.
constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

Gauge::Gauge(Resource resource, std::string scope, std::int64_t limit, base::TimePoint now)
    : resource_(resource), scope_(std::move(scope)), limit_(limit) {
  if (const auto period = period_of(resource)) bucket_.emplace(limit, *period, now);
}

std::int64_t Gauge::remaining(base::TimePoint now) {
  return bucket_ ? bucket_->level(now) : std::max<std::int64_t>(limit_ - held_, 0);
}

base::Duration Gauge::reset(base::TimePoint now) {
  return bucket_ ? bucket_->until(limit_, now) : base::Duration{};
}

std::optional<absl::Status> Gauge::refusal(std::int64_t amount, const std::string& model,
                                           base::TimePoint now) {
  const auto left = remaining(now);
  if (amount <= left) return std::nullopt;
  if (amount > limit_) {
    return refuse(fmt::format("Request too large for {} in {} on {}: Limit {}, Requested {}. The "
                              "input or the maximum of the output must be reduced.",
                              model, scope_, unit_of(resource_), limit_, amount),
                  {RefusalKind::too_large, std::nullopt});
  }
  const auto wait = bucket_ ? bucket_->until(amount, now) : base::Duration(kLookAgain);
  return refuse(
      fmt::format("Rate limit reached for {} in {} on {}: Limit {}, Used {}, Requested {}. Please "
                  "try again in {:.3g}s.",
                  model, scope_, unit_of(resource_), limit_, limit_ - left, amount,
                  std::chrono::duration<double>(wait).count()),
      {kind_of(resource_), wait});
}

void Gauge::take(std::int64_t amount, base::TimePoint now) {
  if (bucket_) {
    bucket_->take(amount, now);
  } else {
    held_ += amount;
  }
}

void Gauge::give_back(std::int64_t taken, std::int64_t used, base::TimePoint now) {
  if (bucket_) {
    bucket_->put_back(std::max<std::int64_t>(taken - used, 0), now);
  } else {
    held_ -= taken;
  }
}

void Gauge::set_limit(std::int64_t limit, base::TimePoint now) {
  limit_ = limit;
  if (bucket_) bucket_->set_limit(limit, now);
}

}  // namespace plinth::governance
