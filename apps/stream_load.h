// Many streams at once from one thread: the client of `plinth bench gateway`.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace plinth {

struct StreamLoad {
  std::uint16_t port = 0;
  std::string api_key;
  std::string model;
  int streams = 1;
  int tokens = 1;                                  // that each stream asks for
  base::Duration limit = std::chrono::minutes(5);  // for all of it
};

struct StreamLoadResult {
  std::int64_t tokens = 0;  // by the usage that the streams end with
  std::int64_t chunks = 0;  // server-sent events with text
  int held = 0;             // streams that were open at the same time
  double seconds = 0;       // from the first request to the last byte
};

// Opens all streams, reads them to their ends. An error names the first stream that was refused,
// cut short or short of tokens.
absl::StatusOr<StreamLoadResult> run_stream_load(const StreamLoad& load, const base::Clock& clock);

}  // namespace plinth
