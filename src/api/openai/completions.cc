#include "api/openai/completions.h"

#include <fmt/format.h>

#include <memory>

#include "api/azure/dialect.h"
#include "api/error_map.h"
#include "api/generation.h"
#include "api/limits.h"
#include "api/openai/chat_completions.h"
#include "api/openai/chat_schema.h"
#include "api/openai/completion_answer.h"
#include "api/openai/prompts.h"
#include "api/target.h"

namespace plinth::api {

const Schema& completion_request_schema() {
  static const Schema schema = [] {
    std::vector<Field> fields{
        model_field(),
        required("prompt", prompts_schema(kPromptsMax, 0,
                                          "Text or token ids, or a list of either: "
                                          "each entry of a list is a prompt of its "
                                          "own.")),
        optional("max_tokens",
                 integer(0, INT32_MAX, "Most tokens of one choice; 0 needs echo.").or_else(16)),
        optional("echo", boolean("The prompt comes first in the text.").or_else(false)),
        optional("logprobs",
                 integer(0, kCompletionLogprobsMax,
                         "Log-probabilities of the tokens, with this many of the likeliest at each "
                         "position; with echo, of the prompt's tokens too."))};
    for (auto list : {sampling_fields(), stream_fields()}) {
      for (auto& field : list) fields.push_back(std::move(field));
    }
    fields.push_back(optional("best_of", integer(0, 20,
                                                 "Served where it equals n (or is 0 or 1 "
                                                 "with n 1): more candidates than choices "
                                                 "are refused.")));
    fields.push_back(unsupported("suffix", {""}, "the models served here do not insert"));
    return object("CreateCompletionRequest", std::move(fields), "");
  }();
  return schema;
}

namespace {

Schema completion_choice(const char* name, Schema finish_reason) {
  const Schema logprobs =
      object("CompletionLogprobs",
             {required("tokens", array(string("bytes:\\xNN stands for a part of a character."), 0,
                                       SIZE_MAX, "")),
              required("token_logprobs", array(number(-1e308, 0, "").or_null(), 0, SIZE_MAX,
                                               "null for the first token of a prompt.")),
              required("top_logprobs", array(map(number(-1e308, 0, ""), SIZE_MAX, "").or_null(), 0,
                                             SIZE_MAX, "The likeliest tokens and the chosen one.")),
              required("text_offset", array(integer(0, INT64_MAX, ""), 0, SIZE_MAX,
                                            "In characters of this choice's text."))},
             "")
          .or_null();
  return object(name,
                {required("index", integer(0, INT32_MAX, "Prompt number x n + choice.")),
                 required("text", string("")), required("logprobs", logprobs),
                 required("finish_reason", std::move(finish_reason)),
                 filter_results_field("content_filter_results")},
                "");
}

std::vector<Field> envelope(Schema choice) {
  return {required("id", string("")),
          required("object", one_string_of({"text_completion"}, "")),
          required("created", integer(0, INT64_MAX, "Seconds since 1970.")),
          required("model", string("")),
          required("choices", array(std::move(choice), 0, SIZE_MAX, "")),
          required("system_fingerprint",
                   string("Changes with weights, kernels and configuration.").or_null())};
}

}  // namespace

const Schema& completion_answer_schema() {
  static const Schema schema = [] {
    auto fields = envelope(completion_choice(
        "CompletionChoice", one_string_of({"stop", "length", "content_filter"}, "")));
    fields.push_back(required("usage", usage_schema()));
    fields.push_back(filter_results_field("prompt_filter_results"));
    return object("Completion", std::move(fields), "");
  }();
  return schema;
}

const Schema& completion_chunk_schema() {
  static const Schema schema = [] {
    auto fields = envelope(
        completion_choice("CompletionChunkChoice",
                          one_string_of({"stop", "length", "content_filter"}, "").or_null()));
    fields.push_back(optional("usage", usage_schema().or_null()));
    fields.push_back(optional("obfuscation", string("")));
    return object("CompletionChunk", std::move(fields), "");
  }();
  return schema;
}

namespace {

absl::Status check_best_of(const Values& body, std::int32_t n) {
  const auto* given = body.find("best_of");
  if (given == nullptr) return absl::OkStatus();
  const auto best_of = std::max<std::int64_t>(to_integer(*given), 1);
  if (best_of < n) {
    return parameter_error(
        fmt::format("Invalid 'best_of': {} candidates cannot make {} choices. Set 'best_of' to at "
                    "least 'n'.",
                    best_of, n),
        "best_of", "invalid_value");
  }
  if (best_of > n) {
    return parameter_error(
        "Unsupported parameter: 'best_of' is not supported above 'n': no candidates are thrown "
        "away. Ask for them by 'n' and choose.",
        "best_of", "unsupported_parameter");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CompletionRequest> parse_completion_request(std::string_view body,
                                                           const ValidateOptions& options) {
  ASSIGN_OR_RETURN(const auto document, parse_body(body, completion_request_schema(), options));
  const Values values(completion_request_schema(), document.get_object());
  CompletionRequest request;
  auto& generate = request.generate;
  RETURN_IF_ERROR(read_sampling(values, generate, request.left_out));
  RETURN_IF_ERROR(check_best_of(values, generate.n));
  ASSIGN_OR_RETURN(request.stream, read_stream_options(values));
  generate.max_tokens = static_cast<std::int32_t>(values.integer("max_tokens"));
  generate.echo = values.boolean("echo");
  if (*generate.max_tokens == 0 && !generate.echo) {
    return parameter_error(
        "Invalid 'max_tokens': 0 is served with 'echo' alone, there is nothing "
        "to answer otherwise.",
        "max_tokens", "integer_below_min_value");
  }
  if (const auto* top = values.find("logprobs")) {
    generate.logprobs = true;
    generate.top_logprobs = static_cast<std::int32_t>(to_integer(*top));
    generate.prompt_logprobs = generate.echo;
    // A page read from the cache has no logits.
    generate.ignore_prefix_cache = generate.echo;
  }
  ASSIGN_OR_RETURN(request.prompts, read_prompts(*values.find("prompt"), "prompt"));
  if (request.prompts.size() * static_cast<std::size_t>(generate.n) > kCompletionChoicesMax) {
    return parameter_error(
        fmt::format("Invalid 'n': {} prompts with {} choices each are over the limit of {} choices "
                    "in one request.",
                    request.prompts.size(), generate.n, kCompletionChoicesMax),
        "n", "integer_above_max_value");
  }
  return request;
}

namespace {

void answer_completion(const ExchangePtr& exchange, CompletionRequest request, Target target) {
  auto& common = request.generate;
  apply_deployment(target, request.left_out, common);
  apply_defaults(target.card.sampling, request.left_out, common.sampling);
  AnswerShape shape = shape_for(*exchange, "cmpl-", common, request.stream);
  shape.prompts = request.prompts.size();
  std::vector<protocol::GenerateRequest> calls;
  for (std::size_t i = 0; i < request.prompts.size(); ++i) {
    auto& call = calls.emplace_back(common);
    call.prompt = std::move(request.prompts[i]);
    call.request_id = fmt::format("{}-{}", shape.id, i);
  }
  auto answer = request.stream.stream ? make_completion_stream(std::move(shape))
                                      : make_completion_document(std::move(shape));
  generate(exchange, std::move(target), std::move(calls), std::move(answer));
}

}  // namespace

void create_completion(const ExchangePtr& exchange) {
  auto request = parse_completion_request(exchange->request().body, validation_of(*exchange));
  if (!request.ok()) return exchange->refuse(request.status());
  const auto model = request->generate.model;
  // Shared since std::function copies; it is used once.
  const auto asked = std::make_shared<CompletionRequest>(*std::move(request));
  auto answer = [exchange, asked](absl::StatusOr<Target> target) {
    if (!target.ok()) return exchange->refuse(target.status());
    answer_completion(exchange, std::move(*asked), *std::move(target));
  };
  open_target(exchange, model, Purpose::generate, "completions", std::move(answer));
}

}  // namespace plinth::api
