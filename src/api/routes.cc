#include "api/routes.h"

#include <array>
#include <charconv>
#include <optional>

#include "api/openai/chat_completions.h"
#include "api/openai/models.h"
#include "api/probes.h"

namespace plinth::api {

namespace {

constexpr std::array kRoutes{
    Route{"GET", "/healthz", Needs::nothing, answer_healthz},
    Route{"GET", "/readyz", Needs::nothing, answer_readyz},
    Route{"GET", "/metrics", Needs::nothing, answer_metrics},
    Route{"POST", "/v1/chat/completions", Needs::key, create_chat_completion},
    Route{"GET", "/v1/models", Needs::key, list_models},
    Route{"GET", "/v1/models/{model}", Needs::key, retrieve_model},
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
