#include "api/openai/chat_schema.h"

#include "api/limits.h"
#include "api/openai/sampling_fields.h"

namespace plinth::api {

namespace {

constexpr char kTextAlone[] = "the models served here read text alone";

Schema text_part() {
  return object("TextPart",
                {required("type", one_string_of({"text"}, "")), required("text", string(""))}, "");
}

// A text, or a list of parts whose texts follow each other.
Schema content(Schema parts, std::string doc) {
  return one_of({string(""), array(std::move(parts), 1, kContentPartsMax, "")}, std::move(doc));
}

Schema text_content(std::string doc) {
  return content(
      tagged("type", {text_part()},
             {{"image_url", kTextAlone}, {"input_audio", kTextAlone}, {"file", kTextAlone}}),
      std::move(doc));
}

Schema plain_message(const char* name, std::vector<std::string> roles, std::string doc) {
  return object(
      name,
      {required("role", one_string_of(std::move(roles), "")), required("content", text_content("")),
       optional("name", string("Passed to the model's template."))},
      std::move(doc));
}

Schema tool_call() {
  return object("ToolCall",
                {required("id", string("")), required("type", one_string_of({"function"}, "")),
                 required("function", object("",
                                             {required("name", string("").length(1, 256)),
                                              required("arguments", string("JSON text."))},
                                             ""))},
                "A call that an earlier answer made.");
}

Schema assistant_message() {
  const Schema refusal = object(
      "RefusalPart",
      {required("type", one_string_of({"refusal"}, "")), required("refusal", string(""))}, "");
  return object(
      "AssistantMessage",
      {required("role", one_string_of({"assistant"}, "")),
       optional("content", content(tagged("type", {text_part(), refusal}), "")),
       optional("refusal", string("")), optional("name", string("")),
       optional("tool_calls", array(tagged("type", {tool_call()},
                                           {{"custom", "tools of type function alone are served"}}),
                                    0, kToolCallsMax, "")),
       extension("reasoning_content", string("Passed to the model's template.")),
       ignored("annotations", array(any(""), 0, SIZE_MAX, "")),
       unsupported("audio", {}, kTextAlone), unsupported("function_call", {}, "use tool_calls")},
      "An earlier answer.");
}

Schema message() {
  return tagged(
      "role",
      {plain_message("SystemMessage", {"system", "developer"}, "Instructions."),
       plain_message("UserMessage", {"user"}, "What the user says."), assistant_message(),
       object("ToolMessage",
              {required("role", one_string_of({"tool"}, "")), required("content", text_content("")),
               required("tool_call_id", string("The call that this answers.")),
               optional("name", string("Passed to the model's template."))},
              "What a tool answered.")},
      {{"function", "use the role tool"}});
}

Schema tool() {
  Schema function = object("",
                           {required("name", string("").length(1, kFunctionNameMax)),
                            optional("description", string("")),
                            optional("parameters", map(any(""), SIZE_MAX, "A JSON Schema.")),
                            ignored("strict", boolean(""))},
                           "");
  return tagged("type",
                {object("Tool",
                        {required("type", one_string_of({"function"}, "")),
                         required("function", std::move(function))},
                        "A function that the model may call.")},
                {{"custom", "tools of type function alone are served"}});
}

std::vector<Field> chat_fields() {
  const std::int64_t tokens_max = INT32_MAX;
  return {
      optional("max_tokens", integer(1, tokens_max, "The older name of max_completion_tokens.")),
      optional("max_completion_tokens",
               integer(1, tokens_max,
                       "Most tokens of one choice; absent = until the context is "
                       "full.")),
      optional("logprobs", boolean("Log-probabilities of the tokens.").or_else(false)),
      optional("top_logprobs", integer(0, kTopLogprobsMax,
                                       "Likeliest tokens to tell at each "
                                       "position; needs logprobs.")),
      optional("tools", array(tool(), 0, kToolsMax, "Shown to the model by its template.")),
      unsupported("tool_choice", {"none", "auto"},
                  "a call cannot be forced; use \"auto\" or \"none\""),
      ignored("parallel_tool_calls", boolean("")),
      unsupported("response_format", {{{"type", "text"}}},
                  "answers are not held to a grammar yet; only {\"type\": \"text\"} is served"),
      extension("chat_template_kwargs",
                map(any(""), 64, "Variables for the model's template, such as enable_thinking.")),
      optional("service_tier",
               one_string_of({"auto", "default", "flex", "scale", "priority", "fast"},
                             "Every tier is served as default, and the answer says so.")
                   .or_else("auto")),
      ignored("metadata", map(string("").length(0, kMetadataValueMax), kMetadataMax, "")),
      ignored("safety_identifier", string("").length(0, kUserMax)),
      ignored("prompt_cache_key", string("").length(0, kUserMax)),
      ignored("prompt_cache_retention", any("")),
      ignored("prompt_cache_options", any("")),
      unsupported("store", {false}, "answers are not stored"),
      unsupported("modalities", {base::json::array{"text"}}, kTextAlone),
      unsupported("audio", {}, kTextAlone),
      unsupported("prediction", {}, "no speculation from a given text"),
      unsupported("reasoning_effort", {"none"},
                  "a model's thinking is set by chat_template_kwargs where its template can"),
      unsupported("verbosity", {"medium"}, "ask for a length in the messages or by max_tokens"),
      unsupported("web_search_options", {}, "this server searches nothing"),
      unsupported("functions", {base::json::array()}, "use tools"),
      unsupported("function_call", {"none", "auto"}, "use tools"),
  };
}

}  // namespace

const Schema& chat_request_schema() {
  static const Schema schema = [] {
    std::vector<Field> fields{
        model_field(),
        required("messages", array(message(), 1, kMessagesMax, "The conversation so far."))};
    for (auto list : {sampling_fields(), chat_fields(), stream_fields()}) {
      for (auto& field : list) fields.push_back(std::move(field));
    }
    return object("CreateChatCompletionRequest", std::move(fields), "");
  }();
  return schema;
}

const Schema& usage_schema() {
  static const Schema schema = [] {
    const auto count = [] { return integer(0, INT64_MAX, ""); };
    return object(
        "CompletionUsage",
        {required("prompt_tokens", count()), required("completion_tokens", count()),
         required("total_tokens", count()),
         required("prompt_tokens_details",
                  object("",
                         {required("cached_tokens", integer(0, INT64_MAX,
                                                            "Read from the prefix "
                                                            "cache.")),
                          required("audio_tokens", count())},
                         "")),
         required("completion_tokens_details",
                  object("",
                         {required("reasoning_tokens", count()), required("audio_tokens", count()),
                          required("accepted_prediction_tokens", count()),
                          required("rejected_prediction_tokens", count())},
                         ""))},
        "What was read and produced; all choices together.");
  }();
  return schema;
}

namespace {

Schema token_logprob(const char* name, std::vector<Field> more) {
  std::vector<Field> fields{
      required("token", string("")),
      required("logprob", number(-1e308, 0, "Natural logarithm; -9999 stands for impossible.")),
      required("bytes", array(integer(0, 255, ""), 0, SIZE_MAX,
                              "The token's bytes: it may be a part of a character."))};
  for (auto& field : more) fields.push_back(std::move(field));
  return object(name, std::move(fields), "");
}

Schema logprobs() {
  const Schema position = token_logprob(
      "TokenLogprob",
      {required("top_logprobs", array(token_logprob("TopLogprob", {}), 0, kTopLogprobsMax, ""))});
  return object("ChoiceLogprobs",
                {required("content", array(position, 0, SIZE_MAX, "").or_null()),
                 required("refusal", array(position, 0, SIZE_MAX, "").or_null())},
                "")
      .or_null();
}

Schema finish_reason() {
  return one_string_of({"stop", "length", "content_filter"}, "Why the choice ended.");
}

std::vector<Field> envelope(const char* object_name, Schema choices) {
  return {required("id", string("")),
          required("object", one_string_of({object_name}, "")),
          required("created", integer(0, INT64_MAX, "Seconds since 1970.")),
          required("model", string("")),
          required("choices", array(std::move(choices), 0, SIZE_MAX, "")),
          required("service_tier", one_string_of({"default"}, "The tier that served.")),
          required("system_fingerprint",
                   string("Changes with weights, kernels and configuration.").or_null())};
}

}  // namespace

Field filter_results_field(const char* name) {
  return optional(name, any("On Azure's paths: what the content policy found."));
}

const Schema& chat_answer_schema() {
  static const Schema schema = [] {
    const Schema message = object(
        "ChatMessage",
        {required("role", one_string_of({"assistant"}, "")),
         required("content", string("").or_null()), required("refusal", string("").or_null()),
         required("annotations", array(any(""), 0, 0, ""))},
        "");
    const Schema choice =
        object("ChatChoice",
               {required("index", integer(0, kChoicesMax - 1, "")), required("message", message),
                required("logprobs", logprobs()), required("finish_reason", finish_reason()),
                filter_results_field("content_filter_results")},
               "");
    auto fields = envelope("chat.completion", choice);
    fields.push_back(required("usage", usage_schema()));
    fields.push_back(filter_results_field("prompt_filter_results"));
    return object("ChatCompletion", std::move(fields), "");
  }();
  return schema;
}

const Schema& chat_chunk_schema() {
  static const Schema schema = [] {
    const Schema delta =
        object("ChatDelta",
               {optional("role", one_string_of({"assistant"}, "")), optional("content", string("")),
                optional("refusal", string("").or_null())},
               "");
    const Schema choice = object(
        "ChatChunkChoice",
        {required("index", integer(0, kChoicesMax - 1, "")), required("delta", delta),
         required("logprobs", logprobs()), required("finish_reason", finish_reason().or_null()),
         filter_results_field("content_filter_results")},
        "");
    auto fields = envelope("chat.completion.chunk", choice);
    fields.push_back(optional("usage", usage_schema().or_null()));
    fields.push_back(optional("obfuscation", string("")));
    return object("ChatCompletionChunk", std::move(fields), "");
  }();
  return schema;
}

}  // namespace plinth::api
