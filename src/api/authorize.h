// Whether a caller may use a route.
#pragma once

#include <string>
#include <vector>

#include "api/routes.h"
#include "governance/principal.h"

namespace plinth::api {

// `parameters` are what the route's pattern matched. PermissionDenied names the permission that is
// missing, and says no more: what is not the caller's need not exist.
absl::Status authorize(const governance::Principal& principal, const Route& route,
                       const std::vector<std::string>& parameters);

}  // namespace plinth::api
