// The rows of the route table that are about people: users, invites, groups, roles.
#pragma once

#include <span>

#include "api/routes.h"

namespace plinth::api {

std::span<const Route> people_routes();

}  // namespace plinth::api
