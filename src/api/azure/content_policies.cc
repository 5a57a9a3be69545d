#include "api/azure/content_policies.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/azure/resource.h"
#include "api/openai/admin/listing.h"
#include "governance/content_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr char kPolicies[] = "raiPolicies";
constexpr char kBlocklists[] = "raiBlocklists";
constexpr char kItems[] = "raiBlocklists/raiBlocklistItems";

governance::ContentPolicies& policies(const Exchange& exchange) {
  return exchange.services().governance.content_policies();
}

Object policy_object(const Exchange& exchange, const ResourcePlace& place,
                     const governance::ContentPolicy& policy) {
  auto body = governance::content_policy_json(policy);
  const bool built_in = policy.name.starts_with("Plinth.");
  body["properties"].get_object()["type"] = built_in ? "SystemManaged" : "UserManaged";
  return resource_object(exchange, place, kPolicies, policy.name, std::move(body));
}

Object item_object(const Exchange& exchange, const ResourcePlace& place,
                   const governance::NamedBlocklistItem& item) {
  return resource_object(exchange, place, kItems, item.name,
                         {{"properties", governance::blocklist_item_json(item.item)}});
}

absl::StatusOr<governance::NamedBlocklistItem> parse_item(const std::string& name,
                                                          const base::json::value& document) {
  const auto* object = document.if_object();
  const auto* properties = object != nullptr ? object->if_contains("properties") : nullptr;
  if (properties == nullptr)
    return base::invalid_argument(fmt::format("[blocklist] {}: properties is missing", name));
  ASSIGN_OR_RETURN(auto item, governance::parse_blocklist_item(*properties));
  return governance::NamedBlocklistItem{name, std::move(item)};
}

absl::StatusOr<std::vector<governance::NamedBlocklistItem>> parse_items(
    const base::json::value& body) {
  const auto* list = body.if_array();
  if (list == nullptr) return base::invalid_argument("[blocklist] the body must be an array");
  if (list->size() > governance::kBlocklistItemsMax) {
    return base::invalid_argument(
        fmt::format("[blocklist] over {} items", governance::kBlocklistItemsMax));
  }
  std::vector<governance::NamedBlocklistItem> items;
  for (const auto& entry : *list) {
    const auto* object = entry.if_object();
    const auto* name = object != nullptr ? object->if_contains("name") : nullptr;
    if (name == nullptr || !name->is_string()) {
      return base::invalid_argument(
          fmt::format("[blocklist] [{}].name: must be a text", items.size()));
    }
    ASSIGN_OR_RETURN(auto item, parse_item(std::string(name->get_string()), entry));
    items.push_back(std::move(item));
  }
  return items;
}

// Adds items and answers with the last of them.
void add(const ExchangePtr& exchange, const ResourcePlace& place,
         const absl::StatusOr<std::vector<governance::NamedBlocklistItem>>& items) {
  if (!items.ok()) return exchange->refuse(items.status());
  const auto& list = place.names.at(0);
  const auto status = policies(*exchange).put_items(place.project, list, *items);
  if (!status.ok()) return exchange->refuse(status);
  if (place.names.size() > 1)
    return exchange->send_json(item_object(*exchange, place, items->at(0)));
  exchange->send_json(resource_object(*exchange, place, kBlocklists, list,
                                      {{"properties", {{"added", items->size()}}}}));
}

}  // namespace

void list_content_policies(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    base::json::array out;
    for (const auto& policy : policies(*exchange).list(place.project))
      out.push_back(policy_object(*exchange, place, policy));
    return resource_list(place, std::move(out));
  }());
}

void put_content_policy(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(const auto body, resource_body(*exchange));
    ASSIGN_OR_RETURN(auto policy, governance::parse_content_policy(body));
    policy.name = place.names.at(0);
    const auto status = policies(*exchange).put(place.project, policy);
    // The policy is at fault, not its path.
    if (absl::IsNotFound(status)) return base::invalid_argument(base::message(status));
    RETURN_IF_ERROR(status);
    return policy_object(*exchange, place, policy);
  }());
}

void retrieve_content_policy(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    const auto filter = policies(*exchange).filter(place.project, place.names.at(0));
    RETURN_IF_ERROR(filter.status());
    return policy_object(*exchange, place, (*filter)->policy());
  }());
}

void delete_content_policy(const ExchangePtr& exchange) {
  const auto place = place_of(*exchange);
  if (!place.ok()) return exchange->refuse(place.status());
  const auto& name = place->names.at(0);
  const auto deployments = exchange->services().governance.deployments().list(place->project);
  for (const auto& deployment : deployments) {
    if (deployment->content_policy != name) continue;
    return exchange->refuse(base::invalid_argument(fmt::format(
        "[content policy] {} is what deployment {} answers under", name, deployment->name)));
  }
  answer_removed(exchange, *place, name, policies(*exchange).remove(place->project, name));
}

void list_blocklists(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    base::json::array out;
    for (const auto& name : policies(*exchange).blocklists(place.project))
      out.push_back(
          resource_object(*exchange, place, kBlocklists, name, {{"properties", Object()}}));
    return resource_list(place, std::move(out));
  }());
}

void put_blocklist(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    const auto& name = place.names.at(0);
    RETURN_IF_ERROR(policies(*exchange).put_blocklist(place.project, name));
    return resource_object(*exchange, place, kBlocklists, name, {{"properties", Object()}});
  }());
}

void retrieve_blocklist(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    const auto& name = place.names.at(0);
    ASSIGN_OR_RETURN(const auto items, policies(*exchange).items(place.project, name));
    return resource_object(*exchange, place, kBlocklists, name,
                           {{"properties", {{"items", items.size()}}}});
  }());
}

void delete_blocklist(const ExchangePtr& exchange) {
  const auto place = place_of(*exchange);
  if (!place.ok()) return exchange->refuse(place.status());
  const auto& name = place->names.at(0);
  answer_removed(exchange, *place, name,
                 policies(*exchange).remove_blocklist(place->project, name));
}

void list_blocklist_items(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(const auto items, policies(*exchange).items(place.project, place.names.at(0)));
    base::json::array out;
    for (const auto& item : items) out.push_back(item_object(*exchange, place, item));
    return resource_list(place, std::move(out));
  }());
}

void put_blocklist_item(const ExchangePtr& exchange) {
  const auto place = place_of(*exchange);
  if (!place.ok()) return exchange->refuse(place.status());
  add(exchange, *place, [&]() -> absl::StatusOr<std::vector<governance::NamedBlocklistItem>> {
    ASSIGN_OR_RETURN(const auto body, resource_body(*exchange));
    ASSIGN_OR_RETURN(auto item, parse_item(place->names.at(1), body));
    return std::vector{std::move(item)};
  }());
}

void add_blocklist_items(const ExchangePtr& exchange) {
  const auto place = place_of(*exchange);
  if (!place.ok()) return exchange->refuse(place.status());
  const auto body = resource_body(*exchange);
  if (!body.ok()) return exchange->refuse(body.status());
  add(exchange, *place, parse_items(*body));
}

void delete_blocklist_item(const ExchangePtr& exchange) {
  const auto place = place_of(*exchange);
  if (!place.ok()) return exchange->refuse(place.status());
  answer_removed(
      exchange, *place, place->names.at(1),
      policies(*exchange).remove_item(place->project, place->names.at(0), place->names.at(1)));
}

void delete_blocklist_items(const ExchangePtr& exchange) {
  const auto removed = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(const auto body, resource_body(*exchange));
    const auto* names = body.if_array();
    if (names == nullptr) return base::invalid_argument("[blocklist] the body must be an array");
    for (const auto& name : *names) {
      if (!name.is_string()) return base::invalid_argument("[blocklist] names must be texts");
      RETURN_IF_ERROR(policies(*exchange).remove_item(place.project, place.names.at(0),
                                                      std::string(name.get_string())));
    }
    return absl::OkStatus();
  }();
  if (!removed.ok()) return exchange->refuse(removed);
  exchange->send_json(Object());
}

}  // namespace plinth::api
