// Sign-ins under way: the browser is at the provider, and we remember what it must come back with.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"

namespace plinth::governance {

struct PendingSignIn {
  std::string state;
  std::string nonce;
  std::string code_verifier;
  std::string redirect_uri;
};

// Thread-safe. Each is taken once, within kSignInTimeMax; past kPendingSignInsMax the oldest goes.
class PendingSignIns {
 public:
  explicit PendingSignIns(const base::Clock& clock) : clock_(clock) {}

  void add(PendingSignIn sign_in);
  // Nothing where the state is unknown, was taken before or came too late.
  std::optional<PendingSignIn> take(const std::string& state);

 private:
  struct Entry {
    PendingSignIn sign_in;
    base::TimePoint until;
  };
  void drop_oldest();

  const base::Clock& clock_;
  std::mutex mutex_;
  // Protected by mutex_; all live equally long, so that the oldest ends first.
  std::list<Entry> by_age_;
  std::map<std::string, std::list<Entry>::iterator> by_state_;
};

}  // namespace plinth::governance
