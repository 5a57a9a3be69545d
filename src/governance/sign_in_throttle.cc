#include "governance/sign_in_throttle.h"

#include <arpa/inet.h>

#include <algorithm>
#include <mutex>

#include "governance/sign_in/failure_table.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

std::string throttle_source(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));  // fe80::1%eth0
  in6_addr six{};
  if (::inet_pton(AF_INET6, text.c_str(), &six) != 1) return text;
  char out[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    ::inet_ntop(AF_INET, &six.s6_addr[12], out, sizeof out);
    return out;
  }
  std::fill(six.s6_addr + 8, six.s6_addr + 16, std::uint8_t{0});
  ::inet_ntop(AF_INET6, &six, out, sizeof out);
  return std::string(out) + "/64";
}

struct SignInThrottle::Impl {
  explicit Impl(const base::Clock& now) : clock(now) {}

  base::Duration wait(std::string_view account, const std::string& source,
                      base::TimePoint now) const {
    return std::max(accounts.wait(account, now), sources.wait(source, now));
  }

  const base::Clock& clock;
  std::mutex mutex;
  // Protected by mutex.
  FailureTable accounts{{kAccountFailuresFree, kAccountDelayMax, kFailuresRemembered}};
  FailureTable sources{{kSourceFailuresFree, kSourceDelayMax, kFailuresRemembered}};
};

SignInThrottle::SignInThrottle(const base::Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
SignInThrottle::~SignInThrottle() = default;

base::Duration SignInThrottle::admit(std::string_view account, std::string_view source) {
  const std::string from = throttle_source(source);
  const auto now = impl_->clock.now();
  std::lock_guard lock(impl_->mutex);
  const base::Duration left = impl_->wait(account, from, now);
  if (left > base::Duration::zero()) return left;
  impl_->accounts.add(account, now);
  impl_->sources.add(from, now);
  return left;
}

base::Duration SignInThrottle::wait(std::string_view account, std::string_view source) const {
  const std::string from = throttle_source(source);
  const auto now = impl_->clock.now();
  std::lock_guard lock(impl_->mutex);
  return impl_->wait(account, from, now);
}

void SignInThrottle::succeeded(std::string_view account, std::string_view source) {
  const std::string from = throttle_source(source);
  std::lock_guard lock(impl_->mutex);
  impl_->accounts.forget(account);
  impl_->sources.take_back(from);
}

void SignInThrottle::undone(std::string_view account, std::string_view source) {
  const std::string from = throttle_source(source);
  std::lock_guard lock(impl_->mutex);
  impl_->accounts.take_back(account);
  impl_->sources.take_back(from);
}

}  // namespace plinth::governance
