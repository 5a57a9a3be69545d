// POST /v1/chat/completions: from a body to a protocol::GenerateRequest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "api/openai/sampling_fields.h"
#include "api/schema/validate.h"
#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::api {

struct ChatRequest {
  protocol::GenerateRequest generate;
  StreamOptions stream;
  std::vector<std::string> left_out;  // sampling fields, for the model's own defaults
};

absl::StatusOr<ChatRequest> parse_chat_request(std::string_view body,
                                               const ValidateOptions& options = {});

// A body as a validated object, for every endpoint: InvalidArgument where it is no JSON object or
// does not fit the declaration.
absl::StatusOr<base::json::value> parse_body(std::string_view body, const Schema& schema,
                                             const ValidateOptions& options);

// The endpoint.
void create_chat_completion(const ExchangePtr& exchange);

}  // namespace plinth::api
