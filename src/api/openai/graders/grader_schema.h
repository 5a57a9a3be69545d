// How graders look on the wire.
#pragma once

#include "api/schema/schema.h"

namespace plinth::api {

const Schema& grader_run_request_schema();
const Schema& grader_run_schema();
const Schema& grader_validate_request_schema();
const Schema& grader_validate_schema();

}  // namespace plinth::api
