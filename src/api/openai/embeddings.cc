#include "api/openai/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "absl/strings/escaping.h"
#include "api/azure/dialect.h"
#include "api/error_map.h"
#include "api/limits.h"
#include "api/openai/chat_completions.h"
#include "api/openai/prompts.h"
#include "api/request_meter.h"
#include "api/request_metrics.h"
#include "api/target.h"

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

namespace {

// One call and its answer.
class Embedding : public std::enable_shared_from_this<Embedding> {
 public:
  Embedding(ExchangePtr exchange, RequestMeter meter, std::string model, bool base64)
      : exchange_(std::move(exchange)),
        model_(std::move(model)),
        base64_(base64),
        meter_(std::move(meter)),
        metrics_(exchange_->services().metrics, exchange_->services().clock, exchange_->started(),
                 operation_of(exchange_->endpoint), model_) {}

  void start(protocol::EmbedRequest request, std::int64_t tokens_max) {
    exchange_->when_late([self = shared_from_this()](const auto& status) { self->fail(status); });
    // Shared since std::function copies; it is used once.
    const auto embed = std::make_shared<protocol::EmbedRequest>(std::move(request));
    const auto status = reserve(tokens_max, [self = shared_from_this(), embed](const auto& later) {
      later.ok() ? self->call(std::move(*embed)) : self->fail(later);
    });
    if (!status) return;
    status->ok() ? call(std::move(*embed)) : fail(*status);
  }

 private:
  std::optional<absl::Status> reserve(std::int64_t tokens,
                                      std::function<void(const absl::Status&)> later) {
    std::lock_guard lock(mutex_);
    return meter_.reserve({tokens, 0, 0}, std::move(later));
  }
  void call(protocol::EmbedRequest request) {
    call_ = exchange_->services().models.embed(
        std::move(request), [self = shared_from_this()](auto result) { self->finish(result); });
    // Where a call may be let go of; runs at once where all is over already.
    exchange_->when_over([self = shared_from_this()] { self->release(); });
  }
  void finish(const absl::StatusOr<protocol::EmbedResult>& result) {
    if (!result.ok()) return fail(result.status());
    auto body = embedding_answer(*result, model_, base64_);
    if (!body.ok()) return fail(body.status());
    std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    metrics_.over(result->usage, "");
    meter_.worked(result->usage.device_us);
    meter_.settle(
        {result->usage.prompt_tokens, 0, 0}, 1, "ok",
        [self = shared_from_this(), body = *std::move(body)](const absl::Status& status) mutable {
          if (!status.ok()) return self->exchange_->refuse(status);
          self->exchange_->send(200, "application/json", std::move(body));
        });
  }
  void fail(const absl::Status& status) {
    end(std::to_string(http_status(status)));
    exchange_->refuse(status);
  }
  void release() {
    end("client_gone");  // unless it is over already
    call_.reset();
  }
  // Nothing was made that anybody could have.
  void end(std::string_view error) {
    std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    metrics_.over({}, error);
    meter_.drop();
  }

  const ExchangePtr exchange_;
  const std::string model_;
  const bool base64_;
  std::unique_ptr<cluster::Call> call_;  // set by call(), then release()'s alone
  std::mutex mutex_;
  bool over_ = false;  // protected by mutex_, as are the following
  RequestMeter meter_;
  GenerationMetrics metrics_;
};

// No tokenizer makes more tokens than a text has bytes, but for the two that it may add.
std::int64_t tokens_max(const protocol::EmbedRequest& request) {
  std::int64_t most = 0;
  for (const auto& input : request.inputs) {
    const auto* text = std::get_if<protocol::TextPrompt>(&input);
    most += 2 + static_cast<std::int64_t>(
                    text != nullptr ? text->text.size()
                                    : std::get<protocol::TokenPrompt>(input).tokens.size());
  }
  return most;
}

}  // namespace

void create_embedding(const ExchangePtr& exchange) {
  auto request = parse_embedding_request(exchange->request().body, validation_of(*exchange));
  if (!request.ok()) return exchange->refuse(request.status());
  const auto model = request->embed.model;
  // Shared since std::function copies; it is used once.
  const auto asked = std::make_shared<EmbeddingRequest>(*std::move(request));
  auto answer = [exchange, asked](absl::StatusOr<Target> target) {
    if (!target.ok()) return exchange->refuse(target.status());
    auto& embed = asked->embed;
    embed.model = target->card.id;
    embed.request_id = exchange->id();
    // Shared by the exchange and the call until both are over.
    const auto embedding =
        std::make_shared<Embedding>(exchange, std::move(target->meter), embed.model, asked->base64);
    const auto tokens = tokens_max(embed);
    embedding->start(std::move(embed), tokens);
  };
  open_target(exchange, model, Purpose::embed, "embeddings", std::move(answer));
}

}  // namespace plinth::api
