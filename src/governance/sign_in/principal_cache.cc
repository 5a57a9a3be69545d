#include "governance/sign_in/principal_cache.h"

#include "governance/sign_in_limits.h"

namespace plinth::governance {

std::optional<Principal> PrincipalCache::find(const std::string& key) const {
  const auto now = clock_.now();
  const auto now_s = clock_.unix_seconds();
  std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  if (found == known_.end() || now >= found->second.until || now_s >= found->second.ends_unix_s)
    return std::nullopt;
  return found->second.principal;
}

std::uint64_t PrincipalCache::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

void PrincipalCache::add(const std::string& key, const Principal& principal, std::int64_t unix_s,
                         std::uint64_t generation) {
  const auto until = clock_.now() + kPrincipalCacheMax;
  std::lock_guard lock(mutex_);
  if (generation_ != generation) return;
  if (known_.size() >= kPrincipalsKnownMax) known_.clear();
  known_[key] = {principal, until, unix_s};
}

void PrincipalCache::forget() {
  std::lock_guard lock(mutex_);
  known_.clear();
  ++generation_;
}

}  // namespace plinth::governance
