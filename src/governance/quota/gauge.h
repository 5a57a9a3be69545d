// One limit and how much of it is used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "governance/admission.h"
#include "governance/rate_bucket.h"

namespace plinth::governance {

// Not thread-safe.
class Gauge {
 public:
  Gauge(Resource resource, std::string scope, std::int64_t limit, base::TimePoint now);

  Resource resource() const { return resource_; }
  std::int64_t limit() const { return limit_; }
  // Of a rate: what is left.
  std::int64_t remaining(base::TimePoint now);
  base::Duration reset(base::TimePoint now);

  // Nothing where the amount fits, otherwise why not.
  std::optional<absl::Status> refusal(std::int64_t amount, const std::string& model,
                                      base::TimePoint now);
  void take(std::int64_t amount, base::TimePoint now);
  // At the end of a request that took `taken` and used `used` of it. Rates keep what was used, the
  // others give back everything.
  void give_back(std::int64_t taken, std::int64_t used, base::TimePoint now);
  void set_limit(std::int64_t limit, base::TimePoint now);

 private:
  const Resource resource_;
  const std::string scope_;  // "project proj_1", for messages
  std::int64_t limit_;
  std::optional<RateBucket> bucket_;  // of a rate
  std::int64_t held_ = 0;             // of what is none
};

}  // namespace plinth::governance
