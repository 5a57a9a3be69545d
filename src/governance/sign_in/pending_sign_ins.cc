#include "governance/sign_in/pending_sign_ins.h"

#include <utility>

#include "governance/sign_in_limits.h"

namespace plinth::governance {

void PendingSignIns::drop_oldest() {
  by_state_.erase(by_age_.front().sign_in.state);
  by_age_.pop_front();
}

void PendingSignIns::add(PendingSignIn sign_in) {
  const auto now = clock_.now();
  std::lock_guard lock(mutex_);
  while (!by_age_.empty() &&
         (by_age_.front().until <= now || by_age_.size() >= kPendingSignInsMax)) {
    drop_oldest();
  }
  by_age_.push_back({std::move(sign_in), now + kSignInTimeMax});
  by_state_[by_age_.back().sign_in.state] = std::prev(by_age_.end());
}

std::optional<PendingSignIn> PendingSignIns::take(const std::string& state) {
  const auto now = clock_.now();
  std::lock_guard lock(mutex_);
  const auto found = by_state_.find(state);
  if (found == by_state_.end()) return std::nullopt;
  Entry entry = std::move(*found->second);
  by_age_.erase(found->second);
  by_state_.erase(found);
  if (entry.until <= now) return std::nullopt;
  return std::move(entry.sign_in);
}

}  // namespace plinth::governance
