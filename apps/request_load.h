// Short requests over connections that are kept, from one thread: the client of
// `plinth bench requests`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace plinth {

struct RequestLoad {
  std::uint16_t port = 0;
  std::string path = "/v1/chat/completions";
  std::string api_key;
  std::string body;  // JSON, the same for all
  int connections = 1;
  double seconds = 1;      // requests are sent for so long
  double warm_up_s = 0;    // before they count
  double rate_per_s = 0;   // a Poisson process of so many; 0 = each as soon as one is answered
  std::uint64_t seed = 1;  // of that process
  base::Duration limit = std::chrono::seconds(30);  // for what is open at the end
};

struct RequestLoadResult {
  std::int64_t answered = 0;
  double seconds = 0;  // from the first counted request to the last byte
  // Of each, from the moment at which it was due: what waits for a connection waits for the
  // service.
  std::vector<double> first_byte_ms, last_byte_ms;
  // How late this client itself sent what was due: it shares the machine with what it measures.
  std::vector<double> send_delay_ms;
};

// An error names the first request that was refused or cut short.
absl::StatusOr<RequestLoadResult> run_request_load(const RequestLoad& load,
                                                   const base::Clock& clock);

}  // namespace plinth
