// POST /v1/chat/completions: validation, and the shapes of its answer and of its stream.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::api {

struct ChatRequest {
  protocol::GenerateRequest generate;
  bool stream = false;
  bool include_usage = false;
};

absl::StatusOr<ChatRequest> parse_chat_request(std::string_view body);

base::json::object usage_object(const protocol::Usage& usage);
// {"content": [...]} of OpenAI, refusal null.
base::json::object chat_logprobs(const std::vector<protocol::PositionLogprobs>& positions);

}  // namespace plinth::api
