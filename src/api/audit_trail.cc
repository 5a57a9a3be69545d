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

// What the pattern's {name} matched, "" where there is none.
std::string parameter_of(const Exchange& exchange, std::string_view pattern,
                         std::string_view name) {
  std::size_t at = 0;
  for (auto begin = pattern.find('{'); begin != std::string_view::npos;
       begin = pattern.find('{', begin + 1), ++at) {
    if (pattern.substr(begin + 1, pattern.find('}', begin) - begin - 1) == name)
      return exchange.parameter(at);
  }
  return "";
}

governance::AuditActor actor_of(const Exchange& exchange) {
  const auto& principal = exchange.principal;
  governance::AuditActor actor;
  actor.id = principal.key_id;
  actor.owner = principal.service_account;
  if (!actor.owner.empty()) actor.owner_type = "service_account";
  actor.ip = exchange.request().peer;
  return actor;
}

// Fields of the request by the route's list: "name title:name" records name, and name as title.
Object recorded_fields(std::string_view list, const Object& body) {
  Object out;
  while (!list.empty()) {
    const auto word = list.substr(0, list.find(' '));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    const auto colon = word.find(':');
    const auto* value =
        body.if_contains(word.substr(colon == std::string_view::npos ? 0 : colon + 1));
    if (value != nullptr) out[word.substr(0, colon)] = *value;
  }
  return out;
}

Object details_of(const Route& route, const std::string& id, const Object& body) {
  Object details{{"id", id}};
  if (route.audit.fields.empty()) return details;
  const char* name = route.audit.event.ends_with(".updated") ? "changes_requested" : "data";
  details[name] = recorded_fields(route.audit.fields, body);
  return details;
}

void name_project(const Exchange& exchange, const Route& route, const Object& answer,
                  governance::AuditEvent& event) {
  // Azure's account is a project.
  for (const char* name : {"project", "account"}) {
    if (event.project.empty()) event.project = parameter_of(exchange, route.pattern, name);
  }
  if (event.project.empty() && route.audit.event == "project.created")
    event.project = text_of(answer, "id");
  if (event.project.empty()) return;
  event.resources.push_back(event.project);
  const auto row = exchange.services().governance.tenants().project(event.project);
  if (row.ok()) event.project_name = row->name;
}

governance::AuditEvent event_of(const Exchange& exchange, const Route& route,
                                const Object& answer) {
  governance::AuditEvent event;
  event.type = std::string(route.audit.event);
  event.actor = actor_of(exchange);
  event.organization = exchange.principal.organization;
  event.resources = exchange.parameters;
  name_project(exchange, route, answer, event);
  const auto made = text_of(answer, "id");
  if (!made.empty()) event.resources.push_back(made);
  std::string id = exchange.audit.id;
  // What a path names at its end; else what the answer names.
  if (id.empty()) id = route.pattern.ends_with("}") ? exchange.parameters.back() : made;
  if (id.empty()) id = event.project.empty() ? event.organization : event.project;
  event.resources.push_back(id);
  event.details = details_of(route, id, object_of(exchange.request().body));
  for (const auto& resource : exchange.audit.resources) event.resources.push_back(resource);
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
  event.type = denied ? "permission.denied" : "api_key.rejected";
  event.actor = actor_of(exchange);
  event.organization = exchange.principal.organization;
  event.project = exchange.principal.project;
  if (!event.actor.id.empty()) event.resources = {event.actor.id};
  // What a client sent for a key may be anything, another service's key too.
  event.details = denied ? Object{{"error_message", std::string(base::message(status))}}
                         : Object{{"error_code", "invalid_api_key"}};
  exchange.services().governance.audit().refused(event, exchange.endpoint);
}

}  // namespace plinth::api
