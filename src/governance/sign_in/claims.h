// From a token's claims to who it is.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "governance/identity.h"
#include "governance/jwt.h"

namespace plinth::governance {

using ClaimNames = std::map<std::string, std::string, std::less<>>;

// Our names, sorted and once each, of what the claim `path` holds: a list of strings or a string
// of words. The path is a member's name, which may hold dots, or else members inside each other.
std::vector<std::string> named_claims(const base::json::object& claims, std::string_view path,
                                      const ClaimNames& names);

// All but roles and groups.
Identity identity_of(const JwtClaims& claims);

}  // namespace plinth::governance
