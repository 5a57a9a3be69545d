#include "governance/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace plinth::governance {

namespace {

constexpr int kBits = 128, kBitsBeforeIpv4 = 96;

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  bool ipv4 = false;
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string owned(text);
  Address address;
  if (::inet_pton(AF_INET6, owned.c_str(), address.bytes.data()) == 1) return address;
  if (::inet_pton(AF_INET, owned.c_str(), address.bytes.data() + 12) != 1) return std::nullopt;
  address.bytes[10] = address.bytes[11] = 0xff;
  address.ipv4 = true;
  return address;
}

bool bit(const std::array<std::uint8_t, 16>& bytes, int at) {
  return ((bytes[static_cast<std::size_t>(at / 8)] >> (7 - at % 8)) & 1) != 0;
}

}  // namespace

absl::StatusOr<Network> Network::parse(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return base::invalid_argument(fmt::format("'{}' is not a network: {}", text, why));
  };
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return bad("expected an address like 192.0.2.7, or 192.0.2.0/24");
  Network network{address->bytes, kBits};
  if (slash == std::string_view::npos) return network;
  const auto digits = text.substr(slash + 1);
  int bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const int most = address->ipv4 ? 32 : kBits;
  if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > most) {
    return bad(fmt::format("its prefix is a number from 0 to {}", most));
  }
  network.bits = address->ipv4 ? kBitsBeforeIpv4 + bits : bits;
  for (int at = network.bits; at < kBits; ++at) {
    if (bit(network.address, at)) return bad("the address has bits beyond the prefix");
  }
  return network;
}

bool Network::contains(std::string_view text) const {
  const auto other = parse_address(text);
  if (!other) return false;
  for (int at = 0; at < bits; ++at) {
    if (bit(address, at) != bit(other->bytes, at)) return false;
  }
  return true;
}

}  // namespace plinth::governance
