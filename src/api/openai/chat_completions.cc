#include "api/openai/chat_completions.h"

#include <fmt/format.h>

#include "api/error_map.h"
#include "api/generation.h"
#include "api/openai/chat_answer.h"
#include "api/openai/fields.h"
#include "api/openai/models.h"

namespace plinth::api {

namespace {

// A request's tools and messages together; OpenAI's own bound on messages is not published.
constexpr std::size_t kMessagesMax = 10'000;

absl::Status check_content(const base::json::value& content, std::size_t index) {
  const std::string where = fmt::format("messages[{}].content", index);
  if (content.is_string()) return absl::OkStatus();
  if (!content.is_array()) {
    return parameter_error(
        fmt::format("Invalid type for '{}': expected one of a string or array of objects, "
                    "but got {} instead.",
                    where, kind_name(content)),
        where, "invalid_type");
  }
  for (const auto& part : content.get_array()) {
    const auto* object = part.if_object();
    const auto* type = object == nullptr ? nullptr : object->if_contains("type");
    if (type == nullptr || !type->is_string()) {
      return parameter_error(fmt::format("Missing required parameter: '{}[].type'.", where), where,
                             "missing_required_parameter");
    }
    const auto* text = object->if_contains("text");
    if (type->get_string() != "text" || text == nullptr || !text->is_string()) {
      return parameter_error(
          fmt::format("Invalid value for '{}': this model takes parts of type text alone.", where),
          where, "invalid_value");
    }
  }
  return absl::OkStatus();
}

absl::Status check_message(const base::json::value& message, std::size_t index) {
  const std::string where = fmt::format("messages[{}]", index);
  const auto* object = message.if_object();
  if (object == nullptr) {
    return parameter_error(
        fmt::format("Invalid type for '{}': expected an object, but got {} instead.", where,
                    kind_name(message)),
        where, "invalid_type");
  }
  const auto* role = object->if_contains("role");
  if (role == nullptr) {
    return parameter_error(fmt::format("Missing required parameter: '{}.role'.", where),
                           where + ".role", "missing_required_parameter");
  }
  if (!role->is_string() || (role->get_string() != "system" && role->get_string() != "user" &&
                             role->get_string() != "assistant" &&
                             role->get_string() != "developer" && role->get_string() != "tool")) {
    return parameter_error(
        fmt::format("Invalid value for '{}.role': supported values are 'system', 'assistant', "
                    "'user', 'developer' and 'tool'.",
                    where),
        where + ".role", "invalid_value");
  }
  const auto* content = object->if_contains("content");
  if (content == nullptr || content->is_null()) {
    if (role->get_string() == "assistant") return absl::OkStatus();
    return parameter_error(fmt::format("Missing required parameter: '{}.content'.", where),
                           where + ".content", "missing_required_parameter");
  }
  return check_content(*content, index);
}

absl::Status read_messages(const base::json::value* messages, protocol::ChatPrompt& prompt) {
  if (messages == nullptr) {
    return parameter_error("Missing required parameter: 'messages'.", "messages",
                           "missing_required_parameter");
  }
  if (!messages->is_array()) {
    return parameter_error(
        fmt::format(
            "Invalid type for 'messages': expected an array of objects, but got {} instead.",
            kind_name(*messages)),
        "messages", "invalid_type");
  }
  auto list = messages->get_array();
  if (list.empty()) {
    return parameter_error(
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
        "empty array instead.",
        "messages", "empty_array");
  }
  if (list.size() > kMessagesMax)
    return parameter_error("Invalid 'messages': array too long.", "messages",
                           "array_above_max_length");
  for (std::size_t i = 0; i < list.size(); ++i) {
    RETURN_IF_ERROR(check_message(list[i], i));
    auto& message = list[i].get_object();
    // Templates know no developer role: it is OpenAI's newer name for system.
    if (message["role"] == "developer") message["role"] = "system";
    if (message.if_contains("content") == nullptr || message["content"].is_null())
      message["content"] = "";
    // Templates written for plain text get plain text.
    if (message["content"].is_array()) {
      std::string text;
      for (const auto& part : message["content"].get_array())
        text += std::string_view(part.at("text").get_string());
      message["content"] = text;
    }
  }
  prompt.messages_json = base::to_json(list);
  return absl::OkStatus();
}

// Known to OpenAI, not offered here: fine at the value that changes nothing, refused by name
// otherwise.
void refuse_unsupported(Fields& fields) {
  const auto refuse = [&](const char* name) {
    fields.fail(parameter_error(
        fmt::format("Unsupported parameter: '{}' is not supported by this server.", name), name,
        "unsupported_parameter"));
  };
  for (const char* name : {"tools", "functions"}) {
    const auto* value = fields.any(name);
    if (value != nullptr && !(value->is_array() && value->get_array().empty())) refuse(name);
  }
  for (const char* name : {"tool_choice", "function_call"}) {
    const auto* value = fields.any(name);
    if (value != nullptr && *value != "none" && *value != "auto") refuse(name);
  }
  if (const auto* format = fields.any("response_format")) {
    const auto* object = format->if_object();
    const auto* type = object == nullptr ? nullptr : object->if_contains("type");
    if (type == nullptr || *type != "text") refuse("response_format");
  }
  for (const char* name :
       {"audio", "prediction", "web_search_options", "reasoning_effort", "verbosity"}) {
    if (fields.any(name) != nullptr) refuse(name);
  }
  if (fields.boolean("store").value_or(false)) refuse("store");
  (void)fields.boolean("parallel_tool_calls");
  const auto* modalities = fields.any("modalities");
  if (modalities != nullptr && *modalities != base::json::array{"text"}) refuse("modalities");
  for (const char* name : {"metadata", "safety_identifier", "prompt_cache_key"})
    (void)fields.any(name);
}

void read_stream_options(Fields& fields, ChatRequest& request) {
  request.stream = fields.boolean("stream").value_or(false);
  const auto* options = fields.any("stream_options");
  if (options == nullptr) return;
  if (!request.stream) {
    return fields.fail(
        parameter_error("The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                        "stream_options"));
  }
  const auto* object = options->if_object();
  if (object == nullptr)
    return fields.fail(parameter_error("Invalid type for 'stream_options': expected an object.",
                                       "stream_options", "invalid_type"));
  Fields inner(*object);
  request.include_usage = inner.boolean("include_usage").value_or(false);
  (void)inner.boolean("include_obfuscation");
  fields.fail(inner.finish());
}

}  // namespace

absl::StatusOr<ChatRequest> parse_chat_request(std::string_view body) {
  const auto document = base::parse_json(body);
  if (!document.ok() || !document->is_object()) {
    return base::invalid_argument(
        "We could not parse the JSON body of your request. The server expects a JSON object.");
  }
  ChatRequest request;
  auto& generate = request.generate;
  Fields fields(document->get_object());
  read_sampling(fields, generate);
  protocol::ChatPrompt prompt;
  fields.fail(read_messages(fields.any("messages"), prompt));
  const auto max_tokens = fields.integer("max_tokens", 1, INT32_MAX);
  const auto max_completion = fields.integer("max_completion_tokens", 1, INT32_MAX);
  if (max_tokens && max_completion) {
    fields.fail(parameter_error(
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        "max_tokens", "invalid_parameter_combination"));
  }
  if (max_tokens) generate.max_tokens = static_cast<std::int32_t>(*max_tokens);
  if (max_completion) generate.max_tokens = static_cast<std::int32_t>(*max_completion);
  generate.logprobs = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (top && !generate.logprobs) {
    fields.fail(
        parameter_error("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
                        "top_logprobs"));
  }
  generate.top_logprobs = static_cast<std::int32_t>(top.value_or(0));
  if (const auto* kwargs = fields.any("chat_template_kwargs")) {
    if (kwargs->is_object())
      prompt.template_kwargs_json = base::to_json(*kwargs);
    else
      fields.fail(parameter_error("Invalid type for 'chat_template_kwargs': expected an object.",
                                  "chat_template_kwargs", "invalid_type"));
  }
  read_stream_options(fields, request);
  refuse_unsupported(fields);
  RETURN_IF_ERROR(fields.finish());
  generate.prompt = std::move(prompt);
  return request;
}

void create_chat_completion(const ExchangePtr& exchange) {
  auto request = parse_chat_request(exchange->request().body);
  if (!request.ok()) return exchange->refuse(request.status());
  auto& services = exchange->services();
  auto& generate_request = request->generate;
  if (!services.models.find(generate_request.model).ok())
    return exchange->refuse(model_not_found(generate_request.model, false));
  ChatShape shape;
  shape.id = next_id(services.clock, "chatcmpl-");
  shape.model = generate_request.model;
  shape.created = services.clock.unix_seconds();
  shape.n = generate_request.n;
  shape.logprobs = generate_request.logprobs;
  shape.include_usage = request->include_usage;
  generate_request.request_id = shape.id;
  auto answer =
      request->stream ? make_chat_stream(std::move(shape)) : make_chat_document(std::move(shape));
  std::vector<protocol::GenerateRequest> calls;
  calls.push_back(std::move(generate_request));
  generate(exchange, std::move(calls), std::move(answer));
}

}  // namespace plinth::api
