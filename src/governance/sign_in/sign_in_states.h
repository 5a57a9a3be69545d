// Sign-ins under way: the browser is at the provider, and comes back with the state that it was
// sent there with. What belongs to a state follows from it under a key that all gateways of a
// service share, so that none has to remember it, and who begins many sign-ins displaces nobody's.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "governance/random_bytes.h"

namespace plinth::governance {

struct SignInState {
  std::string state;
  std::string nonce;
  std::string code_verifier;
  std::string redirect_uri;
};

// Thread-safe.
class SignInStates {
 public:
  // key: kept secret.
  SignInStates(std::string key, RandomBytes random, const base::Clock& clock)
      : key_(std::move(key)), random_(std::move(random)), clock_(clock) {}

  // Holds for kSignInTimeMax.
  absl::StatusOr<SignInState> begin(const std::string& redirect_uri) const;
  // Nothing where the state was not made under the key for one of the addresses, is too old, or was
  // taken here before. Other gateways do not know that it was: the provider takes its code once.
  std::optional<SignInState> take(const std::string& state,
                                  const std::vector<std::string>& redirect_uris);

 private:
  SignInState made(const std::string& head, const std::string& redirect_uri) const;
  // False where it was spent before.
  bool spend(const std::string& state, std::int64_t until_unix_s);

  const std::string key_;
  const RandomBytes random_;
  const base::Clock& clock_;
  std::mutex mutex_;
  // Protected by mutex_: (end, state), of those that have not ended.
  std::set<std::pair<std::int64_t, std::string>> spent_;
};

}  // namespace plinth::governance
