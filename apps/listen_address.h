// ADDRESS:PORT of server.listen, and whether it may be listened on.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace plinth {

struct ListenAddress {
  std::string address;  // "127.0.0.1", "::1": numeric
  std::uint16_t port = 0;
  bool tls = false;
  bool loopback() const;
  std::string url(std::uint16_t bound_port) const;  // "http://[::1]:8080", "https://..." with TLS
};

// "127.0.0.1:8080", "localhost:0", "[::1]:8080". InvalidArgument for anything else, and for an
// address beyond this machine unless with `tls`, or `allow_plaintext`.
absl::StatusOr<ListenAddress> parse_listen(const std::string& text, bool allow_plaintext,
                                           bool tls = false);

}  // namespace plinth
