// The rows of the route table that are about what a project or the organization is held to: which
// models it calls, who is told of what it spends, whose
// clients' certificates it takes.
#pragma once

#include <span>

#include "api/routes.h"

namespace plinth::api {

std::span<const Route> rule_routes();

}  // namespace plinth::api
