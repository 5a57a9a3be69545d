// Rows of the route table for signing in and out.
#pragma once

#include <span>

#include "api/routes.h"

namespace plinth::api {

std::span<const Route> auth_routes();

}  // namespace plinth::api
