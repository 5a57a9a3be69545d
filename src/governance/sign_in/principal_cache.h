// Who was behind a token or a session a moment ago, so that a request costs no database read.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "governance/principal.h"

namespace plinth::governance {

// Thread-safe. What it says may be kPrincipalCacheMax old, unless forget() was called since.
class PrincipalCache {
 public:
  explicit PrincipalCache(const base::Clock& clock) : clock_(clock) {}

  std::optional<Principal> find(const std::string& key) const;
  // To be taken before what add() is given is read.
  std::uint64_t generation() const;
  // Nothing where forget() was called since `generation`. `unix_s`: when the proof ends.
  void add(const std::string& key, const Principal& principal, std::int64_t unix_s,
           std::uint64_t generation);
  void forget();

 private:
  struct Known {
    Principal principal;
    base::TimePoint until;
    std::int64_t ends_unix_s = 0;
  };
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;  // protected by mutex_, as is the following
  std::uint64_t generation_ = 0;
};

}  // namespace plinth::governance
