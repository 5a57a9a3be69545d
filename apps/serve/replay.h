// Sends a workload to a service in an open loop: messages go out when they are due, whether or not
// others are answered, so that a slow service meets the load that users would bring.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/serve/workload.h"
#include "apps/service_connection.h"

namespace plinth::serve {

// Of one turn. Times in seconds from when it was due and not from when it could be sent: a client
// that falls behind does not flatter the service.
struct Outcome {
  std::string tenant;
  std::string error;  // "" where it was answered
  double first_token_s = 0;
  double whole_s = 0;
  std::vector<double> gaps_s;  // between pieces of text
  std::int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  int tokens_asked = 0;

  bool answered() const { return error.empty(); }
};

struct ReplayOptions {
  double timeout_s = 120;   // of one turn: a stream that hangs holds nothing up
  std::uint64_t seed = 1;   // of prompts and answers
  double temperature = -1;  // below 0: the service's own
  bool ignore_eos = false;  // answers as long as asked for; not every service knows it
  std::function<void(std::size_t sent, std::size_t open)> progress;  // may be null
};

struct Replay {
  std::vector<Outcome> outcomes;  // one for each turn of the workload
  double wall_s = 0;              // from the first message to the end of the last answer
};

Replay replay(const Workload& workload, const ServiceConnection& service,
              const ReplayOptions& options);

}  // namespace plinth::serve
