// Events of an answer that nobody reads before its end: a frame for each of its tokens would cost
// the gateway more than the rest of a short request.
#pragma once

#include <vector>

#include "base/clock.h"
#include "protocol/generate.h"

namespace plinth::worker {

// Of one call. Used by one thread at a time.
class GatheredEvents {
 public:
  // A request that is cut off, since its client left or by a content policy, is charged for what
  // its gateway has heard of: it never is further behind.
  static constexpr std::chrono::milliseconds kTimeMax{50};

  explicit GatheredEvents(const base::Clock& clock) : clock_(clock) {}

  // What is to be sent now: everything until then, or nothing yet. The beginning, the first tokens
  // and the end never wait.
  std::vector<protocol::GenerateEvent> add(std::vector<protocol::GenerateEvent> events);

 private:
  const base::Clock& clock_;
  std::vector<protocol::GenerateEvent> kept_;
  base::TimePoint sent_{};
  bool began_ = false;  // a token was sent
};

}  // namespace plinth::worker
