#include "governance/sign_in/failure_table.h"

#include <algorithm>

#include "governance/sign_in/keyed_hash.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

bool forgotten(base::TimePoint last, base::TimePoint now) {
  return last + kFailuresForgotten <= now;
}

}  // namespace

base::Duration FailureTable::wait(std::string_view key, base::TimePoint now) const {
  const auto found = by_key_.find(sha256(key));
  if (found == by_key_.end()) return base::Duration::zero();
  const Entry& entry = *found->second;
  if (entry.failures < rule_.free || forgotten(entry.last, now)) return base::Duration::zero();
  constexpr int kDoublingsMax = 20;  // 12 days: past every delay_max, far from overflow
  const std::chrono::seconds doubled{1 << std::min(entry.failures - rule_.free, kDoublingsMax)};
  const base::TimePoint until = entry.last + std::min(doubled, rule_.delay_max);
  return std::max<base::Duration>(until - now, base::Duration::zero());
}

void FailureTable::add(std::string_view key, base::TimePoint now) {
  while (!by_age_.empty() && forgotten(by_age_.front().last, now)) {
    by_key_.erase(by_age_.front().key);
    by_age_.pop_front();
  }
  std::string hash = sha256(key);
  const auto found = by_key_.find(hash);
  if (found != by_key_.end()) {
    Entry& entry = *found->second;
    ++entry.failures;  // each past the free ones took a second or more: no overflow in sight
    entry.last = now;
    by_age_.splice(by_age_.end(), by_age_, found->second);
    return;
  }
  if (by_age_.size() >= rule_.entries_max) {
    by_key_.erase(by_age_.front().key);
    by_age_.pop_front();
  }
  by_age_.push_back({std::move(hash), 1, now});
  by_key_[by_age_.back().key] = std::prev(by_age_.end());
}

void FailureTable::take_back(std::string_view key) {
  const auto found = by_key_.find(sha256(key));
  if (found == by_key_.end()) return;
  if (--found->second->failures <= 0) {
    by_age_.erase(found->second);
    by_key_.erase(found);
  }
}

void FailureTable::forget(std::string_view key) {
  const auto found = by_key_.find(sha256(key));
  if (found == by_key_.end()) return;
  by_age_.erase(found->second);
  by_key_.erase(found);
}

}  // namespace plinth::governance
