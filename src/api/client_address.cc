#include "api/client_address.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/status.h"

namespace plinth::api {

namespace {

// Some proxies add the port: 192.0.2.7:4711, [2001:db8::7]:4711.
std::string_view without_port(std::string_view entry) {
  if (entry.starts_with('[')) {
    const auto end = entry.find(']');
    return end == std::string_view::npos ? entry : entry.substr(1, end - 1);
  }
  const auto colon = entry.find(':');
  const bool one = colon != std::string_view::npos && entry.find(':', colon + 1) == entry.npos;
  return one ? entry.substr(0, colon) : entry;
}

}  // namespace

std::string client_address(std::string_view peer, std::string_view forwarded_for,
                           std::span<const governance::Network> trusted) {
  const auto is_trusted = [&](std::string_view address) {
    return std::ranges::any_of(trusted, [&](const auto& net) { return net.contains(address); });
  };
  std::string_view client = peer;
  while (!forwarded_for.empty() && is_trusted(client)) {
    const auto comma = forwarded_for.rfind(',');
    const auto from = comma == std::string_view::npos ? 0 : comma + 1;
    const auto entry = absl::StripAsciiWhitespace(base::to_absl(forwarded_for.substr(from)));
    const auto address = without_port({entry.data(), entry.size()});
    if (!governance::Network::parse(address).ok() || address.find('/') != address.npos) break;
    client = address;
    forwarded_for = forwarded_for.substr(0, from == 0 ? 0 : comma);
  }
  return std::string(client);
}

}  // namespace plinth::api
