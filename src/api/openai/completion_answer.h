// The shapes of a text completion, whole and streamed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/answer.h"
#include "api/openai/obfuscation.h"

namespace plinth::api {

// Call c, choice j of the calls becomes choice c * n + j of the answer.
struct CompletionShape {
  std::string id;  // "cmpl-..."
  std::string model;
  std::int64_t created = 0;
  std::size_t prompts = 1;
  std::int32_t n = 1;
  bool logprobs = false;
  bool include_usage = false;            // streams only
  std::optional<Obfuscator> obfuscator;  // streams only
};

std::unique_ptr<Answer> make_completion_document(CompletionShape shape);
std::unique_ptr<Answer> make_completion_stream(CompletionShape shape);

}  // namespace plinth::api
