// POST /v1/chat/completions: validation, and the endpoint.
#pragma once

#include <string_view>

#include "api/exchange.h"
#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::api {

struct ChatRequest {
  protocol::GenerateRequest generate;
  bool stream = false;
  bool include_usage = false;
};

absl::StatusOr<ChatRequest> parse_chat_request(std::string_view body);

void create_chat_completion(const ExchangePtr& exchange);

}  // namespace plinth::api
