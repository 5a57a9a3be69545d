#include "api/openai/chat_completions.h"

#include <fmt/format.h>

#include <memory>
#include <set>

#include "api/azure/dialect.h"
#include "api/error_map.h"
#include "api/generation.h"
#include "api/openai/chat_answer.h"
#include "api/openai/chat_schema.h"
#include "api/target.h"

namespace plinth::api {

namespace {

using base::json::value;
using Object = base::json::object;

// Templates expect what Hugging Face's own code hands them: plain texts, and the arguments of a
// call as an object rather than as JSON text (they would otherwise be quoted twice).
void flatten_content(Object& message) {
  auto* content = message.if_contains("content");
  if (content == nullptr || content->is_null()) {
    message["content"] = "";
    return;
  }
  if (!content->is_array()) return;
  std::string text;
  for (const auto& part : content->get_array()) {
    const auto& object = part.get_object();
    text += std::string_view(object.at(object.contains("text") ? "text" : "refusal").get_string());
  }
  *content = text;
}

void parse_arguments(Object& message) {
  for (auto& call : message["tool_calls"].get_array()) {
    auto& arguments = call.get_object()["function"].get_object()["arguments"];
    const auto parsed = base::parse_json(std::string_view(arguments.get_string()));
    if (parsed.ok() && parsed->is_object()) arguments = *parsed;
  }
}

absl::Status orphan(std::size_t index) {
  return parameter_error(
      "Invalid parameter: messages with role 'tool' must answer a call of the 'tool_calls' of an "
      "assistant message before them.",
      fmt::format("messages[{}].role", index));
}

// Rewrites validated messages for the template. A tool's answer must follow the call it answers:
// templates would otherwise write a conversation that no model has seen.
absl::Status prepare_messages(base::json::array& messages) {
  std::set<std::string> open_calls;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto& message = messages[i].get_object();
    // An absent field and a null one mean the same, but not to every template.
    for (auto it = message.begin(); it != message.end();) {
      it = it->value().is_null() && it->key() != "content" ? message.erase(it) : std::next(it);
    }
    auto& role = message["role"].get_string();
    // Templates know no developer role: it is OpenAI's newer name for system.
    if (role == "developer") role = "system";
    if (role == "tool") {
      if (!open_calls.contains(std::string(message["tool_call_id"].get_string()))) return orphan(i);
    } else {
      open_calls.clear();
    }
    flatten_content(message);
    if (auto* calls = message.if_contains("tool_calls")) {
      for (const auto& call : calls->get_array())
        open_calls.emplace(call.get_object().at("id").get_string());
      if (calls->get_array().empty()) {
        message.erase("tool_calls");
      } else {
        parse_arguments(message);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status read_limits(const Values& body, protocol::GenerateRequest& generate) {
  const auto* older = body.find("max_tokens");
  const auto* newer = body.find("max_completion_tokens");
  if (older != nullptr && newer != nullptr) {
    return parameter_error(
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        "max_tokens", "invalid_parameter_combination");
  }
  if (const auto* limit = older != nullptr ? older : newer)
    generate.max_tokens = static_cast<std::int32_t>(to_integer(*limit));
  generate.logprobs = body.boolean("logprobs");
  const auto* top = body.find("top_logprobs");
  if (top != nullptr && !generate.logprobs) {
    return parameter_error(
        "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs");
  }
  if (top != nullptr) generate.top_logprobs = static_cast<std::int32_t>(to_integer(*top));
  return absl::OkStatus();
}

absl::Status read_template_inputs(const Values& body, protocol::ChatPrompt& prompt) {
  const auto* tools = body.find("tools");
  const auto* choice = body.find("tool_choice");
  // "none" is a promise that no tool is called: the model is not told of any.
  const bool hidden = choice != nullptr && *choice == "none";
  if (tools != nullptr && !tools->get_array().empty() && !hidden)
    prompt.tools_json = base::to_json(*tools);
  const auto* kwargs = body.find("chat_template_kwargs");
  if (kwargs == nullptr) return absl::OkStatus();
  for (const char* name : {"messages", "tools", "add_generation_prompt"}) {
    if (!kwargs->get_object().contains(name)) continue;
    const std::string path = fmt::format("chat_template_kwargs.{}", name);
    return parameter_error(
        fmt::format("Invalid '{}': this variable belongs to the request itself.", path), path,
        "invalid_value");
  }
  prompt.template_kwargs_json = base::to_json(*kwargs);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<base::json::value> parse_body(std::string_view body, const Schema& schema,
                                             const ValidateOptions& options) {
  auto document = base::parse_json(body);
  if (!document.ok()) {
    return base::invalid_argument(
        fmt::format("We could not parse the JSON body of your request. The server expects a JSON "
                    "object in UTF-8: {}.",
                    base::message(document.status())));
  }
  if (!document->is_object()) {
    return base::invalid_argument(
        "We could not parse the JSON body of your request. The server expects a JSON object.");
  }
  if (!options.model.empty()) document->get_object()["model"] = options.model;
  RETURN_IF_ERROR(validate(schema, *document, options));
  return document;
}

absl::StatusOr<ChatRequest> parse_chat_request(std::string_view body,
                                               const ValidateOptions& options) {
  ASSIGN_OR_RETURN(auto document, parse_body(body, chat_request_schema(), options));
  auto& object = document.get_object();
  const Values values(chat_request_schema(), object);
  ChatRequest request;
  RETURN_IF_ERROR(read_sampling(values, request.generate, request.left_out));
  RETURN_IF_ERROR(read_limits(values, request.generate));
  ASSIGN_OR_RETURN(request.stream, read_stream_options(values));
  protocol::ChatPrompt prompt;
  RETURN_IF_ERROR(read_template_inputs(values, prompt));
  RETURN_IF_ERROR(prepare_messages(object["messages"].get_array()));
  prompt.messages_json = base::to_json(object["messages"]);
  request.generate.prompt = std::move(prompt);
  return request;
}

namespace {

void answer_chat(const ExchangePtr& exchange, ChatRequest request, Target target) {
  auto& call = request.generate;
  apply_deployment(target, request.left_out, call);
  apply_defaults(target.card.sampling, request.left_out, call.sampling);
  AnswerShape shape = shape_for(*exchange, "chatcmpl-", call, request.stream);
  call.request_id = shape.id;
  auto answer = request.stream.stream ? make_chat_stream(std::move(shape))
                                      : make_chat_document(std::move(shape));
  std::vector<protocol::GenerateRequest> calls;
  calls.push_back(std::move(call));
  generate(exchange, std::move(target), std::move(calls), std::move(answer));
}

}  // namespace

void create_chat_completion(const ExchangePtr& exchange) {
  auto request = parse_chat_request(exchange->request().body, validation_of(*exchange));
  if (!request.ok()) return exchange->refuse(request.status());
  const auto model = request->generate.model;
  // Shared since std::function copies; it is used once.
  const auto asked = std::make_shared<ChatRequest>(*std::move(request));
  auto answer = [exchange, asked](absl::StatusOr<Target> target) {
    if (!target.ok()) return exchange->refuse(target.status());
    answer_chat(exchange, std::move(*asked), *std::move(target));
  };
  open_target(exchange, model, Purpose::generate, "chat completions", std::move(answer));
}

}  // namespace plinth::api
