// What a serving benchmark asks for and when: conversations of one or more turns, of several
// tenants. The same seed gives the same workload on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::serve {

struct Turn {
  int words = 1;       // of the user's message
  int max_tokens = 1;  // of the answer
  double think_s = 0;  // from the end of the answer before to this message; 0 for the first
  bool copy = false;   // asks for the message's own words again
};

struct Conversation {
  double at_s = 0;  // its first message, from the start of the run
  std::string tenant;
  std::vector<Turn> turns;  // at least one
};

// In the order of at_s.
using Workload = std::vector<Conversation>;

struct WorkloadOptions {
  // fixed: one turn of `prompt_words` and `max_tokens`; short; long; chat; edit: its own words
  // again; mixed of short, chat and long. kMixes has them.
  std::string mix = "fixed";
  std::uint64_t seed = 1;
  double rate_per_s = 1;  // conversations a second on average, arriving as a Poisson process
  int conversations = 20;
  int tenants = 1;  // tenant k has a share in proportion to 1 / k
  int prompt_words = 64;
  int max_tokens = 64;
};

inline constexpr std::string_view kMixes[] = {"fixed", "short", "long", "chat", "edit", "mixed"};

// InvalidArgument for a mix that does not exist.
absl::StatusOr<Workload> make_workload(const WorkloadOptions& options);

// To a millionth: what a trace keeps, so that a workload and its trace are the same.
double whole_microseconds(double seconds);

}  // namespace plinth::serve
