#include "api/azure/resource.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "api/openai/admin/projects.h"

namespace plinth::api {

namespace {

constexpr std::string_view kManagement = "/subscriptions/";

}  // namespace

absl::StatusOr<ResourcePlace> place_of(const Exchange& exchange) {
  ResourcePlace place;
  place.management = exchange.endpoint.starts_with(kManagement);
  // The subscription and the group come first there: one installation is one of each.
  const std::size_t first = place.management ? 2 : 0;
  ASSIGN_OR_RETURN(const auto project, find_project(exchange, exchange.parameter(first)));
  const auto& method = exchange.request().method;
  if (project.archived_s && method != "GET" && method != "HEAD")
    return base::invalid_argument("The project " + project.id + " is archived.");
  place.project = project.id;
  const auto names = exchange.parameters.begin() + static_cast<std::ptrdiff_t>(first) + 1;
  std::copy(names, exchange.parameters.end(), std::back_inserter(place.names));
  return place;
}

base::json::object resource_object(const Exchange& exchange, const ResourcePlace& place,
                                   std::string_view type, const std::string& name,
                                   base::json::object body) {
  base::json::object out{{"id", name}, {"name", name}};
  if (place.management) {
    const auto& path = exchange.request().path;
    // A list's path is where its members are; a member's is its own id.
    out["id"] = path.ends_with("/" + name) ? path : path + "/" + name;
    out["type"] = fmt::format("Microsoft.CognitiveServices/accounts/{}", type);
  } else {
    out["object"] = fmt::format("project.{}", type);
  }
  for (auto& field : body) out[field.key()] = std::move(field.value());
  return out;
}

base::json::object resource_list(const ResourcePlace& place, base::json::array resources) {
  if (place.management) return {{"value", std::move(resources)}};
  return {{"object", "list"}, {"data", std::move(resources)}, {"has_more", false}};
}

absl::StatusOr<base::json::value> resource_body(const Exchange& exchange) {
  auto body = base::parse_json(exchange.request().body);
  if (body.ok()) return body;
  return base::invalid_argument(
      fmt::format("The body is no JSON document: {}.", base::message(body.status())));
}

void answer_removed(const ExchangePtr& exchange, const ResourcePlace& place,
                    const std::string& name, const absl::Status& status) {
  // Azure's own clients take 204 of every kind of resource, and 200 of some.
  exchange->audit.changed = status.ok();
  if (place.management && (status.ok() || absl::IsNotFound(status)))
    return exchange->send(204, "", "");
  if (!status.ok()) return exchange->refuse(status);
  exchange->send_json({{"id", name}, {"deleted", true}});
}

const Schema& resource_schema() {
  static const Schema schema = map(any(""), SIZE_MAX, "A resource in Azure's shape.");
  return schema;
}

const Schema& resource_list_schema() {
  static const Schema schema = map(any(""), SIZE_MAX, "Resources in Azure's shape.");
  return schema;
}

const Schema& resource_request_schema() {
  static const Schema schema = map(any(""), SIZE_MAX, "A resource in Azure's shape.");
  return schema;
}

}  // namespace plinth::api
