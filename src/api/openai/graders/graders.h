// /v1/fine_tuning/alpha/graders: what a grader makes of a sample, and whether it is one.
#pragma once

#include <span>

#include "api/exchange.h"
#include "api/routes.h"

namespace plinth::api {

void run_grader(const ExchangePtr& exchange);
void validate_grader(const ExchangePtr& exchange);

std::span<const Route> grader_routes();

}  // namespace plinth::api
