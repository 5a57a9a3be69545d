// The rows of the route table that are about stored data: its keys, and how long it stays.
#pragma once

#include <span>

#include "api/routes.h"

namespace plinth::api {

std::span<const Route> data_routes();

}  // namespace plinth::api
