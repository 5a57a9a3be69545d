#include "api/audit_trail.h"

#include "base/log.h"
#include "protocol/generate.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

std::string text_of(const Object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

Object object_of(std::string_view text) {
  auto parsed = base::parse_json(text);
  return parsed.ok() && parsed->is_object() ? parsed->get_object() : Object();
}

governance::AuditActor actor_of(const Exchange& exchange) {
  if (exchange.audit.actor) {
    auto actor = *exchange.audit.actor;
    actor.ip = exchange.request().peer;
    return actor;
  }
  const auto& principal = exchange.principal;
  governance::AuditActor actor;
  actor.id = principal.key_id;
  if (actor.id.empty() && !principal.user.empty()) {
    actor.type = "session";
    actor.id = principal.user;
  } else if (!principal.service_account.empty()) {
    // A program of an identity provider has no key.
    if (actor.id.empty()) actor.id = principal.service_account;
    actor.owner = principal.service_account;
    actor.owner_type = "service_account";
  } else if (!principal.user.empty()) {
    actor.owner = principal.user;
    actor.owner_type = "user";
  }
  actor.ip = exchange.request().peer;
  return actor;
}

// The details, from the fields of a request that its route lists.
void add_fields(std::string_view list, const Object& body, std::string_view group,
                governance::AuditEvent& event) {
  Object grouped;
  while (!list.empty()) {
    auto word = list.substr(0, list.find(' '));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    const bool beside_id = word.starts_with("/");
    if (beside_id) word.remove_prefix(1);
    const auto colon = word.find(':');
    const auto field = colon == std::string_view::npos ? word : word.substr(colon + 1);
    const auto* value = body.if_contains(field);
    if (value == nullptr) continue;
    (beside_id ? event.details : grouped)[word.substr(0, colon)] = *value;
    if (field.ends_with("_id") && value->is_string())
      event.resources.emplace_back(value->get_string());
  }
  if (!grouped.empty()) event.details[group] = std::move(grouped);
}

// What a path names besides its project, by name, where that is more than one thing.
void add_path(const Exchange& exchange, std::string_view pattern, governance::AuditEvent& event) {
  // One installation is one subscription and one resource group of Azure's.
  const std::size_t skipped = pattern.starts_with("/subscriptions/") ? 3 : 0;
  Object named;
  std::size_t at = 0;
  for (auto begin = pattern.find('{'); begin != std::string_view::npos;
       begin = pattern.find('{', begin + 1), ++at) {
    auto name = pattern.substr(begin + 1, pattern.find('}', begin) - begin - 1);
    if (name.ends_with("...")) name.remove_suffix(3);
    if (at < skipped || at == project_parameter(pattern)) continue;
    named[name] = exchange.parameter(at);
    event.resources.push_back(exchange.parameter(at));
  }
  if (named.size() > 1) event.details["path"] = std::move(named);
}

void name_project(const Exchange& exchange, const Route& route, const std::string& made,
                  governance::AuditEvent& event) {
  const auto parameter = project_parameter(route.pattern);
  if (parameter) event.project = exchange.parameter(*parameter);
  if (!parameter && route.audit.event == "project.created") event.project = made;
  if (event.project.empty()) return;
  event.resources.push_back(event.project);
  const auto row = exchange.services().governance.tenants().project(event.project);
  if (row.ok()) event.project_name = row->name;
}

// What was acted on: as the endpoint says, as the path names it at its end, as the answer names it.
std::string acted_on(const Exchange& exchange, const Route& route, const std::string& made,
                     const governance::AuditEvent& event) {
  if (!exchange.audit.id.empty()) return exchange.audit.id;
  if (route.pattern.ends_with("}")) return exchange.parameters.back();
  if (!made.empty()) return made;
  return exchange.parameters.empty() ? event.organization : exchange.parameters.back();
}

governance::AuditEvent event_of(const Exchange& exchange, const Route& route,
                                const Object& answer) {
  governance::AuditEvent event;
  event.type = std::string(route.audit.event);
  event.actor = actor_of(exchange);
  event.organization = exchange.principal.organization;
  const bool session = event.actor.type == "session";
  if (session || event.actor.owner_type == "user") {
    const auto& id = session ? event.actor.id : event.actor.owner;
    const auto person =
        exchange.services().governance.people().users().find(event.organization, id);
    if (person.ok()) event.actor.email = person->email.value_or("");
  }
  event.resources = exchange.audit.resources;
  const auto made = text_of(answer, "id");
  if (!made.empty()) event.resources.push_back(made);
  name_project(exchange, route, made, event);
  const auto id = acted_on(exchange, route, made, event);
  event.resources.push_back(id);
  event.details = {{"id", id}};
  add_path(exchange, route.pattern, event);
  const bool changes = event.type.ends_with(".updated");
  add_fields(route.audit.fields, object_of(exchange.request().body),
             changes ? "changes_requested" : "data", event);
  for (const auto& [name, value] : exchange.audit.details) event.details[name] = value;
  return event;
}

}  // namespace

void run_on_record(const ExchangePtr& exchange, const Route& route) {
  std::optional<HeldAnswer> held;
  const auto status =
      exchange->services().governance.on_record([&](governance::AuditEvent& event) -> absl::Status {
        exchange->audit = {};
        exchange->hold();
        route.endpoint(exchange);
        held = exchange->take_held();
        if (!held) return base::internal(std::string(route.pattern) + " did not answer at once");
        if (held->status >= 300) return absl::CancelledError("refused");
        if (!exchange->audit.changed) return absl::OkStatus();
        event = event_of(*exchange, route, object_of(held->body));
        return absl::OkStatus();
      });
  if (status.ok() || (held && held->status >= 300)) return exchange->send_held(*std::move(held));
  LOG(error, "{} {} was undone: {}", route.method, route.pattern, status.ToString());
  exchange->refuse(absl::IsUnavailable(status)
                       ? status
                       : base::internal("The act could not be recorded, and was undone."));
}

void record_refusal(const Exchange& exchange, const absl::Status& status) {
  const bool denied = absl::IsPermissionDenied(status);
  // Where no key was given there is no such code.
  const bool rejected =
      absl::IsUnauthenticated(status) && status.GetPayload(protocol::kCodePayload).has_value();
  if (!denied && !rejected) return;
  governance::AuditEvent event;
  const auto code = rejected ? std::string(*status.GetPayload(protocol::kCodePayload)) : "";
  event.type = denied                    ? "permission.denied"
               : code == "invalid_token" ? "login.failed"
                                         : "api_key.rejected";
  event.actor = actor_of(exchange);
  event.organization = exchange.principal.organization;
  event.project = exchange.principal.project;
  if (!event.actor.id.empty()) event.resources = {event.actor.id};
  // What a client sent for a key may be anything, another service's key too.
  event.details = denied ? Object{{"error_message", std::string(base::message(status))}}
                         : Object{{"error_code", code}};
  exchange.services().governance.audit().refused(event, exchange.endpoint);
}

}  // namespace plinth::api
