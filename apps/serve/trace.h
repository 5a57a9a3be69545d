// A workload as a file that can be kept, written by hand or made from a service's own log: one JSON
// object a line, one line a conversation, in any order of time:
//   {"at_s":0.5,"tenant":"acme","turns":[{"words":40,"max_tokens":64},
//                                        {"words":12,"max_tokens":64,"think_s":2.5}]}
// `tenant` and `think_s` may be left out, and so may `copy`, which asks for the message's own words
// again. Blank lines are nothing.
#pragma once

#include <string>
#include <string_view>

#include "apps/serve/workload.h"

namespace plinth::serve {

// InvalidArgument names the line and the field.
absl::StatusOr<Workload> parse_trace(std::string_view text);

std::string to_trace(const Workload& workload);

}  // namespace plinth::serve
