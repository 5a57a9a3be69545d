// Callers whose organization or project takes clients' certificates have to present one.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

// The code of a 401 for a client certificate that is missing or does not do.
inline constexpr char kInvalidClientCertificate[] = "invalid_client_certificate";

// Of an exchange whose principal is known. OK where the service asks nobody for one.
// Unauthenticated says why; Unavailable where it could not be found out.
absl::Status check_client_certificate(const Exchange& exchange);

}  // namespace plinth::api
