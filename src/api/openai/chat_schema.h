// The bodies of POST /v1/chat/completions, declared.
#pragma once

#include "api/schema/schema.h"

namespace plinth::api {

const Schema& chat_request_schema();
const Schema& chat_answer_schema();
const Schema& chat_chunk_schema();

// usage of every endpoint that generates, with its details.
const Schema& usage_schema();

// Of answers and their choices.
Field filter_results_field(const char* name);

}  // namespace plinth::api
