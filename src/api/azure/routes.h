// The routes of Azure's dialect, and of the resources that it and OpenAI's share.
#pragma once

#include <span>

#include "api/routes.h"

namespace plinth::api {

std::span<const Route> azure_routes();

}  // namespace plinth::api
