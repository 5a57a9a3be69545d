// string | [string] | [token] | [[token]]: the prompts of a completion, the inputs of embeddings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema/schema.h"
#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::api {

// text_min: the fewest characters of a text.
Schema prompts_schema(std::size_t count_max, std::size_t text_min, std::string doc);

// From a value that fits prompts_schema(); one TextPrompt or TokenPrompt for each entry.
absl::StatusOr<std::vector<protocol::Prompt>> read_prompts(const base::json::value& value,
                                                           std::string_view name);

}  // namespace plinth::api
