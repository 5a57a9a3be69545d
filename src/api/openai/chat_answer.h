// The shapes of a chat completion, whole and streamed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/answer.h"
#include "api/openai/obfuscation.h"
#include "base/json.h"

namespace plinth::api {

struct ChatShape {
  std::string id;  // "chatcmpl-..."
  std::string model;
  std::int64_t created = 0;
  std::int32_t n = 1;
  bool logprobs = false;
  bool include_usage = false;            // streams only
  std::optional<Obfuscator> obfuscator;  // streams only
};

std::unique_ptr<Answer> make_chat_document(ChatShape shape);
std::unique_ptr<Answer> make_chat_stream(ChatShape shape);

base::json::object usage_object(const protocol::Usage& usage);

}  // namespace plinth::api
