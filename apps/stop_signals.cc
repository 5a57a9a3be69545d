#include "apps/stop_signals.h"

#include <signal.h>

#include <atomic>

namespace plinth {

namespace {

std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal's handler sets it");

}  // namespace

void listen_for_stop(bool on_interrupt) {
  const auto handler = [](int) { stop.store(true); };
  if (on_interrupt) ::signal(SIGINT, handler);
  ::signal(SIGTERM, handler);
}

bool asked_to_stop() { return stop.load(); }

}  // namespace plinth
