// Networks that a key may be used from.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

// IPv4 addresses as IPv6 writes them (::ffff:a.b.c.d), so that both are one kind.
struct Network {
  std::array<std::uint8_t, 16> address{};
  int bits = 128;  // that an address shares with it

  // "192.0.2.0/24", "2001:db8::/32", or one address. InvalidArgument otherwise, and where bits
  // beyond the prefix are set, since then somebody meant something else.
  static absl::StatusOr<Network> parse(std::string_view text);
  // False for what is no address.
  bool contains(std::string_view address) const;
};

}  // namespace plinth::governance
