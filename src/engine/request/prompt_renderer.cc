#include "engine/request/prompt_renderer.h"

#include <optional>

#include "base/json.h"

namespace plinth::engine {

absl::StatusOr<std::vector<std::int32_t>> PromptRenderer::tokens(
    const protocol::Prompt& prompt) const {
  if (const auto* tokens = std::get_if<protocol::TokenPrompt>(&prompt)) return tokens->tokens;
  if (const auto* text = std::get_if<protocol::TextPrompt>(&prompt)) {
    return tokenizer_.encode(text->text, {.add_special = true, .parse_special = true});
  }
  if (template_ == nullptr) {
    return base::invalid_argument("this model has no chat template; use /v1/completions");
  }
  ASSIGN_OR_RETURN(const auto rendered, render(std::get<protocol::ChatPrompt>(prompt)));
  return tokenizer_.encode(rendered.text, {.add_special = false,
                                           .parse_special = true,
                                           .foreign = rendered.foreign,
                                           .reserved = reserved_});
}

absl::StatusOr<model::RenderedPrompt> PromptRenderer::render(
    const protocol::ChatPrompt& chat) const {
  base::json::object variables;
  ASSIGN_OR_RETURN(variables["messages"], base::parse_json(chat.messages_json));
  if (!chat.tools_json.empty()) {
    ASSIGN_OR_RETURN(variables["tools"], base::parse_json(chat.tools_json));
  } else {
    variables["tools"] = nullptr;
  }
  if (!chat.template_kwargs_json.empty()) {
    ASSIGN_OR_RETURN(const auto extra, base::parse_json(chat.template_kwargs_json));
    if (extra.is_object()) {
      for (const auto& [key, value] : extra.get_object()) variables[key] = value;
    }
  }
  variables["add_generation_prompt"] = chat.add_generation_prompt;
  const auto& spec = tokenizer_.spec();
  const auto text = [&](const std::optional<model::TokenId>& id) {
    return id ? tokenizer_.token_bytes(*id, true) : std::string();
  };
  variables["bos_token"] = text(spec.bos);
  variables["eos_token"] = text(spec.eos);
  return template_->render(variables, clock_.unix_seconds());
}

}  // namespace plinth::engine
