#include "api/openai/admin/audit_logs.h"

#include <algorithm>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr std::int64_t kTimeMax = 253'402'300'799;  // the end of the year 9999
constexpr std::size_t kListMax = 256;

Field list_field(const char* name, const char* doc) {
  return optional(name, array(string("").length(1, 1024), 0, kListMax, doc));
}

Field time_field(const char* name, const char* doc) {
  return optional(name, integer(0, kTimeMax, doc));
}

std::vector<std::string> texts(const Object& query, const char* name) {
  std::vector<std::string> out;
  const auto* list = query.if_contains(name);
  if (list == nullptr || !list->is_array()) return out;
  for (const auto& text : list->get_array()) out.emplace_back(text.get_string());
  return out;
}

// Seconds as the API has them, milliseconds as they are stored: every millisecond of a second
// counts as that second.
void read_times(const Object& query, store::AuditFilter& filter) {
  const auto at_least = [&](const char* name, std::int64_t more) {
    const auto* value = query.if_contains(name);
    if (value == nullptr) return;
    const auto ms = (to_integer(*value) + more) * 1000;
    filter.from_ms = std::max(filter.from_ms.value_or(ms), ms);
  };
  const auto below = [&](const char* name, std::int64_t more) {
    const auto* value = query.if_contains(name);
    if (value == nullptr) return;
    const auto ms = (to_integer(*value) + more) * 1000;
    filter.before_ms = std::min(filter.before_ms.value_or(ms), ms);
  };
  at_least("effective_at[gt]", 1);
  at_least("effective_at[gte]", 0);
  below("effective_at[lt]", 0);
  below("effective_at[lte]", 1);
}

absl::StatusOr<store::AuditFilter> filter_of(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto query, read_query(exchange, audit_log_query()));
  const Values values(audit_log_query(), query);
  store::AuditFilter filter;
  filter.organization = exchange.principal.organization;
  read_times(query, filter);
  filter.projects = texts(query, "project_ids");
  filter.types = texts(query, "event_types");
  filter.actors = texts(query, "actor_ids");
  filter.emails = texts(query, "actor_emails");
  filter.resources = texts(query, "resource_ids");
  filter.after = std::string(values.string("after"));
  filter.before = std::string(values.string("before"));
  filter.limit = values.integer("limit");
  if (!filter.after.empty() && !filter.before.empty())
    return parameter_error("Give 'after' or 'before', not both.", "before", "invalid_value");
  return filter;
}

Object user_object(const std::string& id, const std::string& email) {
  return {{"id", id}, {"email", email}};
}

// Who acted: an API key and whose it is, a person who signed in, or (not OpenAI's) a user of the
// service's machine. Plinth's own acts have none.
base::json::value actor_object(const governance::AuditActor& actor) {
  if (actor.type == "session") {
    return Object{{"type", "session"},
                  {"session",
                   Object{{"ip_address", actor.ip}, {"user", user_object(actor.id, actor.email)}}}};
  }
  if (actor.type == "local_user") {
    return Object{{"type", "local_user"},
                  {"local_user", Object{{"id", actor.id}, {"name", actor.owner}}}};
  }
  if (actor.type != "api_key") return nullptr;
  Object key{{"id", actor.id}, {"type", actor.owner_type.empty() ? "user" : actor.owner_type}};
  if (actor.owner_type == "service_account") {
    key["service_account"] = Object{{"id", actor.owner}};
  } else if (!actor.owner.empty()) {
    key["user"] = user_object(actor.owner, actor.email);
  }
  return Object{{"type", "api_key"}, {"api_key", std::move(key)}, {"ip_address", actor.ip}};
}

Object entry_object(const governance::AuditEntry& entry) {
  const auto& event = entry.event;
  Object out{{"id", entry.id},       {"object", "organization.audit_log"},
             {"type", event.type},   {"effective_at", entry.time_ms / 1000},
             {"index", entry.index}, {"actor", actor_object(event.actor)}};
  if (!event.project.empty())
    out["project"] = Object{{"id", event.project}, {"name", event.project_name}};
  out[event.type] = event.details;
  return out;
}

}  // namespace

const Schema& audit_log_list_schema() {
  static const Schema schema = list_schema(
      "AuditLogList",
      map(any(""), SIZE_MAX,
          "id, type, effective_at, actor, project; index: its place in the chain; and under the "
          "name of its type the details."));
  return schema;
}

const Schema& audit_log_query() {
  static const Schema schema = page_query(
      {optional("before",
                string("The id of the first entry of the page after.").length(0, 512).or_else("")),
       time_field("effective_at[gt]", "Later than this, in seconds since 1970."),
       time_field("effective_at[gte]", "At this second or later."),
       time_field("effective_at[lt]", "Before this second."),
       time_field("effective_at[lte]", "At this second or before."),
       list_field("project_ids", "Of these projects."),
       list_field("event_types", "Of these types: project.created."),
       list_field("actor_ids", "By these keys, service accounts or people."),
       list_field("actor_emails", "By people with these addresses."),
       list_field("resource_ids", "On these keys, accounts, projects and so on."),
       unsupported("tenant_only", {false}, "there is nothing above an organization here")});
  return schema;
}

void list_audit_logs(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto filter, filter_of(*exchange));
    ASSIGN_OR_RETURN(const auto page, exchange->services().governance.audit().list(filter));
    return list_object(page, entry_object);
  }());
}

}  // namespace plinth::api
