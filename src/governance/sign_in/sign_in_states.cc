#include "governance/sign_in/sign_in_states.h"

#include <fmt/format.h>

#include "absl/strings/numbers.h"
#include "governance/sign_in/encoding.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kStateBytes = 32;  // 256 bits

}  // namespace

// head: RANDOM.END, in seconds since 1970.
SignInState SignInStates::made(const std::string& head, const std::string& redirect_uri) const {
  const auto derived = [&](std::string_view purpose) {
    return keyed_hash(key_, fmt::format("sign-in {} {} {}", purpose, head, redirect_uri));
  };
  return {head + "." + derived("state"), derived("nonce"), derived("verifier"), redirect_uri};
}

absl::StatusOr<SignInState> SignInStates::begin(const std::string& redirect_uri) const {
  ASSIGN_OR_RETURN(const std::string random, random_(kStateBytes));
  const auto until = clock_.unix_seconds() + kSignInTimeMax.count();
  return made(fmt::format("{}.{}", base64url(random), until), redirect_uri);
}

std::optional<SignInState> SignInStates::take(const std::string& state,
                                              const std::vector<std::string>& redirect_uris) {
  const auto tag = state.rfind('.');
  if (tag == std::string::npos) return std::nullopt;
  const std::string head = state.substr(0, tag);
  const auto end = head.find('.');
  std::int64_t until = 0;
  if (end == std::string::npos || !absl::SimpleAtoi(head.substr(end + 1), &until)) {
    return std::nullopt;
  }
  if (clock_.unix_seconds() >= until) return std::nullopt;
  for (const auto& uri : redirect_uris) {
    auto found = made(head, uri);
    if (!same_secret(found.state, state)) continue;
    if (!spend(state, until)) return std::nullopt;
    return found;
  }
  return std::nullopt;
}

bool SignInStates::spend(const std::string& state, std::int64_t until_unix_s) {
  std::lock_guard lock(mutex_);
  const auto now = clock_.unix_seconds();
  while (!spent_.empty() && (spent_.begin()->first <= now || spent_.size() >= kSpentSignInsMax)) {
    spent_.erase(spent_.begin());
  }
  return spent_.emplace(until_unix_s, state).second;
}

}  // namespace plinth::governance
