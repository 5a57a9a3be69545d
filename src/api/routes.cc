#include "api/routes.h"

#include <array>
#include <charconv>
#include <optional>

#include "api/openai/chat_completions.h"
#include "api/openai/chat_schema.h"
#include "api/openai/completions.h"
#include "api/openai/embeddings.h"
#include "api/openai/models.h"
#include "api/openapi.h"
#include "api/probes.h"

namespace plinth::api {

namespace {

constexpr std::array kRoutes{
    Route{"GET",
          "/healthz",
          Needs::nothing,
          answer_healthz,
          {"getHealth", "Whether the process lives.", health_schema}},
    Route{"GET",
          "/readyz",
          Needs::nothing,
          answer_readyz,
          {"getReadiness", "Whether the models that must be loaded are.", readiness_schema}},
    Route{"GET",
          "/metrics",
          Needs::nothing,
          answer_metrics,
          {"getMetrics", "Prometheus metrics, text format 0.0.4."}},
    Route{"GET",
          "/openapi.json",
          Needs::nothing,
          answer_openapi,
          {"getOpenApi", "This document.", openapi_schema}},
    Route{"POST",
          "/v1/chat/completions",
          Needs::key,
          create_chat_completion,
          {"createChatCompletion", "Continues a conversation.", chat_answer_schema,
           chat_request_schema, chat_chunk_schema}},
    Route{"POST",
          "/v1/completions",
          Needs::key,
          create_completion,
          {"createCompletion", "Continues texts.", completion_answer_schema,
           completion_request_schema, completion_chunk_schema}},
    Route{"POST",
          "/v1/embeddings",
          Needs::key,
          create_embedding,
          {"createEmbedding", "Makes vectors of texts.", embedding_answer_schema,
           embedding_request_schema}},
    Route{"GET",
          "/v1/models",
          Needs::key,
          list_models,
          {"listModels", "The models that can be called.", model_list_schema}},
    Route{"GET",
          "/v1/models/{model}",
          Needs::key,
          retrieve_model,
          {"retrieveModel", "One of them.", model_schema}},
    Route{"DELETE",
          "/v1/models/{model}",
          Needs::key,
          refuse_model_deletion,
          {"deleteModel", "Refused: models are removed on the command line of their machine.",
           model_schema}},
};

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* digits = text.data() + i + 1;
    const bool escape = text[i] == '%' && i + 2 < text.size() &&
                        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
    out += escape ? static_cast<char>(byte) : text[i];
    if (escape) i += 2;
  }
  return out;
}

// What {...} matched ("" without one), or nothing.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const auto brace = pattern.find('{');
  if (brace == std::string_view::npos)
    return path == pattern ? std::optional<std::string_view>("") : std::nullopt;
  if (!path.starts_with(pattern.substr(0, brace)) || path.size() == brace) return std::nullopt;
  return path.substr(brace);
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

RouteMatch find_route(std::span<const Route> table, std::string_view method,
                      std::string_view path) {
  RouteMatch found;
  for (const auto& route : table) {
    const auto parameter = match(route.pattern, path);
    if (!parameter) continue;
    const bool get = route.method == "GET";
    if (method == route.method || (get && method == "HEAD")) {
      found.route = &route;
      found.path_parameter = percent_decoded(*parameter);
      found.allow.clear();
      return found;
    }
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += get ? "GET, HEAD" : std::string(route.method);
  }
  return found;
}

}  // namespace plinth::api
