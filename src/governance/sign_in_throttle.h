// Slows down who guesses passwords, by account and by source address.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace plinth::governance {

// What an address counts as: an IPv4 address is itself, also where it is mapped into IPv6; an IPv6
// address is its /64, which is what one customer gets; anything else is its own text.
std::string throttle_source(std::string_view address);

// Thread-safe; memory is bounded. Past kAccountFailuresFree failures of an account, or
// kSourceFailuresFree of a source, each further one doubles the wait from one second up to
// kAccountDelayMax or kSourceDelayMax.
class SignInThrottle {
 public:
  explicit SignInThrottle(const base::Clock& clock);
  ~SignInThrottle();

  // Zero: go on; the attempt counts as failed until succeeded() or undone() says otherwise, so that
  // a hundred at once are no way around. More: how long both have to wait; nothing is counted.
  base::Duration admit(std::string_view account, std::string_view source);
  // How long admit() would say, for Retry-After.
  base::Duration wait(std::string_view account, std::string_view source) const;
  // Forgives the account its failures. The source is forgiven this attempt alone: else a guesser
  // with an account of their own could start anew as often as they like.
  void succeeded(std::string_view account, std::string_view source);
  // The attempt came to no answer.
  void undone(std::string_view account, std::string_view source);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
