// POST /v1/completions: its bodies, declared, and the way from a body to generations.
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

const Schema& completion_request_schema();
const Schema& completion_answer_schema();
const Schema& completion_chunk_schema();

struct CompletionRequest {
  // What every prompt has in common; its own prompt field is unset.
  protocol::GenerateRequest generate;
  std::vector<protocol::Prompt> prompts;  // 1..kPromptsMax, each with generate.n choices
  StreamOptions stream;
  std::vector<std::string> left_out;  // sampling fields, for the model's own defaults
};

absl::StatusOr<CompletionRequest> parse_completion_request(std::string_view body,
                                                           const ValidateOptions& options = {});

// The endpoint.
void create_completion(const ExchangePtr& exchange);

}  // namespace plinth::api
