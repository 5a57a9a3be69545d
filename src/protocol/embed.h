// Embeddings as they cross the planes.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "protocol/generate.h"

namespace plinth::protocol {

struct EmbedRequest {
  std::string request_id;
  std::string model;
  std::vector<std::variant<TextPrompt, TokenPrompt>> inputs;  // 1..2048
  std::int32_t dimensions = 0;  // 0 = the model's own; else truncated and renormalised
};

struct EmbedResult {
  std::int32_t dimensions = 0;
  std::vector<float> vectors;  // [inputs, dimensions] row-major
  Usage usage;
};

}  // namespace plinth::protocol
