// The rows of the route table that are about files and uploads, in both dialects.
#pragma once

#include <span>

#include "api/routes.h"

namespace plinth::api {

std::span<const Route> file_routes();

}  // namespace plinth::api
