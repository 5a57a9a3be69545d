#include "api/openai/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <memory>
#include <span>

#include "absl/strings/escaping.h"
#include "api/limits.h"
#include "api/openai/chat_completions.h"
#include "api/openai/models.h"
#include "api/openai/prompts.h"

namespace plinth::api {

const Schema& embedding_request_schema() {
  static const Schema schema = [] {
    Schema body = object(
        "CreateEmbeddingRequest",
        {model_field(),
         required("input", prompts_schema(kEmbedInputsMax, 1,
                                          "Text or token ids, or a list of "
                                          "either: each entry of a list gets a "
                                          "vector of its own.")),
         optional("encoding_format",
                  one_string_of({"float", "base64"},
                                "base64: little-endian 32-bit floats, what the official clients "
                                "ask for.")
                      .or_else("float")),
         optional("dimensions", integer(1, kDimensionsMax,
                                        "Keep this many leading numbers, scaled to length 1 again; "
                                        "at most the model's own.")),
         ignored("user", string("Your end user's id.").length(0, kUserMax))},
        "");
    body.terse_ranges = true;
    return body;
  }();
  return schema;
}

const Schema& embedding_answer_schema() {
  static const Schema schema = object(
      "EmbeddingList",
      {required("object", one_string_of({"list"}, "")),
       required("data",
                array(object("Embedding",
                             {required("object", one_string_of({"embedding"}, "")),
                              required("index", integer(0, kEmbedInputsMax - 1, "")),
                              required("embedding",
                                       one_of({array(number(-1e308, 1e308, ""), 1, SIZE_MAX, ""),
                                               string("With encoding_format base64.")},
                                              ""))},
                             ""),
                      1, kEmbedInputsMax, "")),
       required("model", string("")),
       required("usage", object("EmbeddingUsage",
                                {required("prompt_tokens", integer(0, INT64_MAX, "")),
                                 required("total_tokens", integer(0, INT64_MAX, ""))},
                                ""))},
      "");
  return schema;
}

absl::StatusOr<EmbeddingRequest> parse_embedding_request(std::string_view body,
                                                         const ValidateOptions& options) {
  ASSIGN_OR_RETURN(const auto document, parse_body(body, embedding_request_schema(), options));
  const Values values(embedding_request_schema(), document.get_object());
  EmbeddingRequest request;
  request.embed.model = values.string("model");
  request.base64 = values.string("encoding_format") == "base64";
  if (const auto* dimensions = values.find("dimensions"))
    request.embed.dimensions = static_cast<std::int32_t>(to_integer(*dimensions));
  ASSIGN_OR_RETURN(auto prompts, read_prompts(*values.find("input"), "input"));
  for (auto& prompt : prompts) {
    if (auto* text = std::get_if<protocol::TextPrompt>(&prompt))
      request.embed.inputs.emplace_back(std::move(*text));
    else
      request.embed.inputs.emplace_back(std::move(std::get<protocol::TokenPrompt>(prompt)));
  }
  return request;
}

namespace {

void append_floats(std::string& out, std::span<const float> vector) {
  out += '[';
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (i > 0) out += ',';
    // The shortest text that reads back as the same float.
    fmt::format_to(std::back_inserter(out), "{}", vector[i]);
  }
  out += ']';
}

void append_base64(std::string& out, std::span<const float> vector) {
  static_assert(std::endian::native == std::endian::little);
  const absl::string_view bytes(reinterpret_cast<const char*>(vector.data()), vector.size_bytes());
  out += '"';
  out += absl::Base64Escape(bytes);
  out += '"';
}

}  // namespace

absl::StatusOr<std::string> embedding_answer(const protocol::EmbedResult& result,
                                             std::string_view model, bool base64) {
  if (!std::all_of(result.vectors.begin(), result.vectors.end(),
                   [](float x) { return std::isfinite(x); })) {
    return base::internal("[embeddings] the model made a vector that is not finite");
  }
  const auto width = static_cast<std::size_t>(result.dimensions);
  std::string out;
  out.reserve(result.vectors.size() * (base64 ? 6 : 14) + 256);
  out += R"({"object":"list","data":[)";
  for (std::size_t i = 0; i * width < result.vectors.size(); ++i) {
    const auto vector = std::span(result.vectors).subspan(i * width, width);
    if (i > 0) out += ',';
    fmt::format_to(std::back_inserter(out), R"({{"object":"embedding","index":{},"embedding":)", i);
    base64 ? append_base64(out, vector) : append_floats(out, vector);
    out += '}';
  }
  fmt::format_to(std::back_inserter(out),
                 R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})",
                 base::to_json(base::json::value(base::json::string(std::string(model)))),
                 result.usage.prompt_tokens, result.usage.prompt_tokens);
  out += '\n';
  return out;
}

void create_embedding(const ExchangePtr& exchange) {
  auto& services = exchange->services();
  auto request = parse_embedding_request(exchange->request().body, services.validation());
  if (!request.ok()) return exchange->refuse(request.status());
  const std::string model = request->embed.model;
  if (const auto status = check_embeds(services, model); !status.ok())
    return exchange->refuse(status);
  request->embed.request_id = exchange->id();
  // Kept by the exchange's end, which is where a call may be let go of.
  const auto call = std::make_shared<std::unique_ptr<cluster::Call>>();
  *call = services.models.embed(
      std::move(request->embed),
      [exchange, model, base64 = request->base64](absl::StatusOr<protocol::EmbedResult> result) {
        if (!result.ok()) return exchange->refuse(result.status());
        auto body = embedding_answer(*result, model, base64);
        if (!body.ok()) return exchange->refuse(body.status());
        exchange->send(200, "application/json", *std::move(body));
      });
  exchange->when_over([call] { call->reset(); });
}

}  // namespace plinth::api
