// One streamed chat completion of a service, for the terminal.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "apps/service_connection.h"
#include "base/json.h"

namespace plinth {

struct ChatAnswer {
  std::string text;
  std::string finish_reason;  // "stop", "length", "" where it was stopped
  base::json::value usage;    // as the service states it; null where it was stopped
  bool stopped = false;       // by `stop`
};

struct ChatSinks {
  std::function<void(std::string_view piece)> text;
  // Asked while the answer is on its way; true ends it. May be null.
  std::function<bool()> stop;
};

// `parameters` are fields of the request beside model, messages and stream: temperature, seed, ...
// The error is the service's own message.
absl::StatusOr<ChatAnswer> stream_chat(const ServiceConnection& service,
                                       const base::json::array& messages,
                                       const base::json::object& parameters,
                                       const ChatSinks& sinks);

}  // namespace plinth
