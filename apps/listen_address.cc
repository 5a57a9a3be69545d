#include "apps/listen_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace plinth {

bool ListenAddress::loopback() const { return address == "::1" || address.starts_with("127."); }

std::string ListenAddress::url(std::uint16_t bound_port) const {
  // The address that means every interface is none that a client can call.
  const std::string host = address == "0.0.0.0" ? "127.0.0.1" : address == "::" ? "::1" : address;
  const char* scheme = tls ? "https" : "http";
  return host.find(':') != std::string::npos ? fmt::format("{}://[{}]:{}", scheme, host, bound_port)
                                             : fmt::format("{}://{}:{}", scheme, host, bound_port);
}

absl::StatusOr<ListenAddress> parse_listen(const std::string& text, bool allow_plaintext,
                                           bool tls) {
  const auto wrong = [&] {
    return base::invalid_argument(fmt::format(
        "server.listen: \"{}\": expected ADDRESS:PORT, for example 127.0.0.1:8080 or [::1]:8080",
        text));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return wrong();
  ListenAddress listen;
  listen.tls = tls;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, listen.port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return wrong();
  listen.address = text.substr(0, colon);
  if (listen.address.starts_with("[") && listen.address.ends_with("]")) {
    listen.address = listen.address.substr(1, listen.address.size() - 2);
  }
  if (listen.address == "localhost") listen.address = "127.0.0.1";
  in6_addr parsed_address;
  if (::inet_pton(AF_INET, listen.address.c_str(), &parsed_address) != 1 &&
      ::inet_pton(AF_INET6, listen.address.c_str(), &parsed_address) != 1) {
    return wrong();
  }
  if (!listen.loopback() && !allow_plaintext && !tls) {
    return base::invalid_argument(fmt::format(
        "server.listen: {} is reachable from beyond this machine, and without TLS keys and prompts "
        "would cross the network unencrypted. Set server.tls_certificate and server.tls_key, put a "
        "TLS proxy in front of a loopback address, or ask for it by name: --allow-plaintext (keys "
        "stay required)",
        text));
  }
  return listen;
}

}  // namespace plinth
