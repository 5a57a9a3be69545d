// One HTTP/1.1 exchange over a plain socket: the test sees the bytes that a client sees.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace plinth::tests {

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without chunk framing
};

struct HttpQuestion {
  std::string method, path, body;
  std::vector<std::pair<std::string, std::string>> headers;
  // Closes the connection after this many server-sent events.
  std::optional<int> leave_after_events;
};

// Unavailable after ten seconds without a byte.
absl::StatusOr<HttpAnswer> ask(std::uint16_t port, const HttpQuestion& question);

// The data of each server-sent event; comments are passed over.
std::vector<std::string> events_of(const std::string& body);

}  // namespace plinth::tests
