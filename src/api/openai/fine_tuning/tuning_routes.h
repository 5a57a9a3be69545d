// The rows of the route table that are about fine-tuning, in both dialects.
#pragma once

#include <span>

#include "api/routes.h"

namespace plinth::api {

std::span<const Route> tuning_routes();

}  // namespace plinth::api
