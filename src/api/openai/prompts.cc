#include "api/openai/prompts.h"

#include <fmt/format.h>

#include "api/error_map.h"
#include "api/limits.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

Schema token_list() {
  return array(integer(0, kTokenIdMax, ""), 1, kPromptTokensMax, "Token ids.");
}

protocol::TokenPrompt tokens_of(const base::json::array& list) {
  protocol::TokenPrompt prompt;
  prompt.tokens.reserve(list.size());
  for (const auto& token : list)
    prompt.tokens.push_back(static_cast<std::int32_t>(to_integer(token)));
  return prompt;
}

}  // namespace

Schema prompts_schema(std::size_t count_max, std::size_t text_min, std::string doc) {
  const Schema text = string("").length(text_min, SIZE_MAX);
  return one_of({text, array(text, 1, count_max, "Texts."), token_list(),
                 array(token_list(), 1, count_max, "Lists of token ids.")},
                std::move(doc));
}

absl::StatusOr<std::vector<protocol::Prompt>> read_prompts(const base::json::value& value,
                                                           std::string_view name) {
  std::vector<protocol::Prompt> prompts;
  if (value.is_string()) {
    prompts.emplace_back(protocol::TextPrompt{std::string(value.get_string())});
    return prompts;
  }
  const auto& list = value.get_array();
  if (list[0].is_number()) {
    prompts.emplace_back(tokens_of(list));
    return prompts;
  }
  std::size_t tokens = 0;
  for (const auto& entry : list) {
    if (entry.is_string()) {
      prompts.emplace_back(protocol::TextPrompt{std::string(entry.get_string())});
      continue;
    }
    tokens += entry.get_array().size();
    if (tokens > kPromptTokensMax) {
      return parameter_error(
          fmt::format("Invalid '{}': over {} tokens in one request.", name, kPromptTokensMax), name,
          "array_above_max_length");
    }
    prompts.emplace_back(tokens_of(entry.get_array()));
  }
  return prompts;
}

}  // namespace plinth::api
