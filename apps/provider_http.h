// How an identity provider is reached: small answers, soon or not at all, and no redirects.
#pragma once

#include "governance/oidc.h"

namespace plinth {

governance::Fetch provider_fetch();
governance::Post provider_post();

}  // namespace plinth
