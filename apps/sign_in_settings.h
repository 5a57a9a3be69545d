// How people and programs sign in, from the settings auth.*.
#pragma once

#include <string>

#include "base/settings.h"
#include "governance/sign_in.h"

namespace plinth {

// The address at which browsers find the service: auth.public_url, or `listened` where that is
// empty. InvalidArgument where it is no address of a service.
absl::StatusOr<std::string> public_url(const base::Settings& settings, const std::string& listened);

// InvalidArgument names the setting that is wrong. `url`: public_url()'s.
absl::StatusOr<governance::SignInOptions> sign_in_options(const base::Settings& settings,
                                                          const std::string& url);

}  // namespace plinth
