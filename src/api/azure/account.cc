#include "api/azure/account.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>

#include "api/azure/resource.h"
#include "api/error_map.h"
#include "api/openai/admin/keys.h"
#include "api/openai/admin/listing.h"
#include "api/openai/models.h"
#include "governance/deployment_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr std::array<const char*, 2> kKeyNames{"Key1", "Key2"};

governance::Governance& governed(const Exchange& exchange) {
  return exchange.services().governance;
}

// As lists of the project's keys show it, so that people know it again.
std::string stored_name(std::string_view key_name) { return fmt::format("Azure {}", key_name); }

absl::StatusOr<std::optional<store::KeyRow>> find_key(const Exchange& exchange,
                                                      const std::string& project,
                                                      std::string_view key_name) {
  store::PageRequest page;
  page.limit = 100;
  for (;;) {
    ASSIGN_OR_RETURN(const auto keys,
                     governed(exchange).keys().list(governance::Role::project, project, page));
    for (const auto& row : keys.rows) {
      if (row.name == stored_name(key_name)) return std::optional(row);
    }
    if (!keys.has_more) return std::optional<store::KeyRow>();
    page.after = keys.rows.back().id;
  }
}

absl::StatusOr<std::string> make_key(Exchange& exchange, const std::string& project,
                                     std::string_view key_name) {
  governance::KeySpec spec;
  spec.organization = exchange.principal.organization;
  spec.project = project;
  spec.name = stored_name(key_name);
  ASSIGN_OR_RETURN(const auto made, api::make_key(exchange, spec));
  exchange.audit.resources.push_back(made.row.id);
  return made.text;
}

std::string field_of(std::string_view key_name) {
  std::string field(key_name);
  field[0] = 'k';
  return field;
}

// Both keys as they may be shown. `made`: the text of one that is new.
absl::StatusOr<Object> keys_object(Exchange& exchange, const std::string& project,
                                   std::string_view made_name, const std::string& made) {
  Object out;
  for (const std::string_view name : kKeyNames) {
    if (name == made_name) {
      out[field_of(name)] = made;
      continue;
    }
    ASSIGN_OR_RETURN(const auto row, find_key(exchange, project, name));
    if (row) {
      out[field_of(name)] = row->hint;
      continue;
    }
    ASSIGN_OR_RETURN(out[field_of(name)], make_key(exchange, project, name));
  }
  return out;
}

Object model_entry(const governance::ModelVersion& version, const cluster::ModelCard& card,
                   std::int64_t now_s) {
  Object model{{"format", "OpenAI"},
               {"name", version.model},
               {"version", version.version},
               {"isDefaultVersion", version.is_default},
               {"capabilities",
                {{"chatCompletion", card.generates ? "true" : "false"},
                 {"completion", card.generates ? "true" : "false"},
                 {"embeddings", card.embeds ? "true" : "false"}}},
               {"lifecycleStatus", "GenerallyAvailable"}};
  if (version.retires_s) {
    if (*version.retires_s <= now_s) model["lifecycleStatus"] = "Deprecated";
    const auto time = fmt::gmtime(static_cast<std::time_t>(*version.retires_s));
    model["deprecation"] = Object{{"inference", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", time)}};
  }
  return model;
}

// What can be called of a project, in the shape of OpenAI's models with Azure's fields.
Object callable(const std::string& id, std::int64_t created_s, const cluster::ModelCard* card) {
  Object capabilities{{"fine_tune", false}, {"inference", true}};
  if (card != nullptr) {
    capabilities["completion"] = card->generates;
    capabilities["chat_completion"] = card->generates;
    capabilities["embeddings"] = card->embeds;
  }
  return {{"id", id},
          {"object", "model"},
          {"status", "succeeded"},
          {"created", created_s},
          {"created_at", created_s},
          {"updated_at", created_s},
          {"owned_by", "plinth"},
          {"capabilities", std::move(capabilities)},
          {"lifecycle_status", "generally-available"}};
}

std::map<std::string, Object> callables(const Exchange& exchange) {
  std::map<std::string, Object> out;
  for (const auto& card : exchange.services().models.list())
    out[card.id] = callable(card.id, card.created_unix_seconds, &card);
  for (const auto& deployment : governed(exchange).deployments().list(exchange.principal.project)) {
    const auto card = exchange.services().models.find(deployment->model);
    out[deployment->name] =
        callable(deployment->name, deployment->created_s, card.ok() ? &*card : nullptr);
  }
  return out;
}

}  // namespace

void retrieve_account(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    return Object{{"id", exchange->request().path},
                  {"name", place.project},
                  {"type", "Microsoft.CognitiveServices/accounts"},
                  {"kind", "OpenAI"},
                  {"location", "plinth"},
                  {"sku", {{"name", "S0"}}},
                  {"properties", {{"provisioningState", "Succeeded"}}}};
  }());
}

void list_account_models(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    const auto versions = governed(*exchange).deployments().versions();
    const auto now_s = exchange->services().clock.unix_seconds();
    base::json::array out;
    for (const auto& card : exchange->services().models.list()) {
      for (const auto& version : versions.of(card.id))
        out.push_back(model_entry(version, card, now_s));
    }
    return resource_list(place, std::move(out));
  }());
}

void list_account_usages(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    std::map<std::string, std::int64_t> used;
    for (const auto& deployment : governed(*exchange).deployments().list(place.project))
      used[fmt::format("OpenAI.{}.{}", deployment->sku, deployment->model)] += deployment->capacity;
    base::json::array out;
    for (const auto& [name, value] : used) {
      const bool units = name.find("Provisioned") != std::string::npos;
      out.push_back(
          Object{{"name", {{"value", name}, {"localizedValue", name}}},
                 {"currentValue", value},
                 {"limit", units ? governance::kUnitsOfReplica : governance::kCapacityMax},
                 {"unit", "Count"}});
    }
    return resource_list(place, std::move(out));
  }());
}

void list_account_keys(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(auto keys, keys_object(*exchange, place.project, "", ""));
    auto& note = exchange->audit;
    note.changed = !note.resources.empty();
    note.details = {{"data", Object{{"created", base::json::value_from(note.resources)}}}};
    return keys;
  }());
}

void regenerate_account_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(const auto body, resource_body(*exchange));
    const auto* object = body.if_object();
    const auto* given = object != nullptr ? object->if_contains("keyName") : nullptr;
    const std::string_view name =
        given != nullptr && given->is_string() ? std::string_view(given->get_string()) : "";
    if (name != kKeyNames[0] && name != kKeyNames[1])
      return parameter_error("'keyName' is Key1 or Key2.", "keyName", "invalid_value");
    ASSIGN_OR_RETURN(const auto old, find_key(*exchange, place.project, name));
    // First the new one, which the caller may be refused.
    ASSIGN_OR_RETURN(const auto made, make_key(*exchange, place.project, name));
    if (old) RETURN_IF_ERROR(governed(*exchange).keys().revoke(old->id));
    const std::string new_id(governance::key_id(made));
    exchange->audit.id = old ? old->id : new_id;
    exchange->audit.details = {{"changes_requested", Object{{"keyName", base::json::string(name)}}},
                               {"replaced_by", new_id}};
    return keys_object(*exchange, place.project, name, made);
  }());
}

void list_azure_models(const ExchangePtr& exchange) {
  base::json::array out;
  for (auto& entry : callables(*exchange)) out.push_back(std::move(entry.second));
  exchange->send_json({{"object", "list"}, {"data", std::move(out)}});
}

void retrieve_azure_model(const ExchangePtr& exchange) {
  const auto all = callables(*exchange);
  const auto found = all.find(exchange->parameter(0));
  if (found == all.end()) return exchange->refuse(model_not_found(exchange->parameter(0), true));
  exchange->send_json(found->second);
}

}  // namespace plinth::api
