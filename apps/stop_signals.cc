#include "apps/stop_signals.h"

#include <signal.h>

#include <atomic>

namespace plinth {

namespace {

std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal's handler sets it");

}  // namespace

void listen_for_stop(bool on_interrupt) {
  if (on_interrupt) listen_for_stop_by(SIGINT);
  listen_for_stop_by(SIGTERM);
}

void listen_for_stop_by(int signal) {
  ::signal(signal, [](int) { stop.store(true); });
}

bool asked_to_stop() { return stop.load(); }

}  // namespace plinth
