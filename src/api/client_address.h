// Who asks, where proxies stand in between.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "governance/network.h"

namespace plinth::api {

// The address that the nearest proxy we do not trust, or the client itself, came from. Each proxy
// adds to the end of X-Forwarded-For whom it was asked by; `peer` is who is connected to us.
// Entries of trusted proxies are passed over from the end on; what stands before the first other
// one is whatever its sender wrote, and is not looked at, and so is everything from an entry on
// that is no address.
std::string client_address(std::string_view peer, std::string_view forwarded_for,
                           std::span<const governance::Network> trusted);

}  // namespace plinth::api
