// Who asks: by an API key, an access token of the identity provider, or a session's cookie.
#pragma once

#include <functional>

#include "api/exchange.h"
#include "api/routes.h"

namespace plinth::api {

// The code of a 401 for an access token that does not do.
inline constexpr char kInvalidToken[] = "invalid_token";

// Sets the exchange's principal, and for people and programs of a provider the project that the
// request is for. `done` runs before this returns where all is known here; where the provider or
// the database has to be asked, on a thread that may wait. Unauthenticated, PermissionDenied,
// Unavailable, or InvalidArgument where the project is not said.
void authenticate(const ExchangePtr& exchange, std::function<void(const absl::Status&)> done);

// For routes of Scope::caller: that there is a project. Keys always have theirs.
absl::Status check_project(const Exchange& exchange, const Route& route);

}  // namespace plinth::api
