#include "governance/audit/audit_record.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "governance/audit/canonical_json.h"
#include "governance/audit_limits.h"
#include "governance/content/utf8.h"
#include "governance/sign_in/keyed_hash.h"

namespace plinth::governance {

namespace {

using Object = base::json::object;

constexpr std::int64_t kVersion = 1;

Object to_object(const AuditRecord& record) {
  const auto& event = record.event;
  base::json::array resources;
  for (const auto& resource : event.resources) resources.emplace_back(resource);
  return {{"version", kVersion},
          {"index", record.index},
          {"previous", record.previous},
          {"time_ms", record.time_ms},
          {"type", event.type},
          {"organization", event.organization},
          {"project", Object{{"id", event.project}, {"name", event.project_name}}},
          {"actor", Object{{"type", event.actor.type},
                           {"id", event.actor.id},
                           {"owner", event.actor.owner},
                           {"owner_type", event.actor.owner_type},
                           {"email", event.actor.email},
                           {"ip", event.actor.ip}}},
          {"resources", std::move(resources)},
          {"details", event.details}};
}

bool is_text(std::string_view text) {
  while (!text.empty()) {
    const auto next = first_utf8(text);
    if (next.read != Utf8Read::valid || next.code == 0) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

absl::Status check_text(std::string_view name, std::string_view text) {
  if (text.size() > kAuditNameBytesMax) {
    return base::invalid_argument(fmt::format("[audit] {} has {} bytes, more than {}", name,
                                              text.size(), kAuditNameBytesMax));
  }
  if (!is_text(text)) return base::invalid_argument(fmt::format("[audit] {} is no text", name));
  return absl::OkStatus();
}

absl::Status check(const AuditEvent& event) {
  if (event.type.empty()) return base::invalid_argument("[audit] an event without a type");
  RETURN_IF_ERROR(check_text("type", event.type));
  RETURN_IF_ERROR(check_text("organization", event.organization));
  RETURN_IF_ERROR(check_text("project", event.project));
  RETURN_IF_ERROR(check_text("actor.type", event.actor.type));
  RETURN_IF_ERROR(check_text("actor.id", event.actor.id));
  RETURN_IF_ERROR(check_text("actor.owner", event.actor.owner));
  RETURN_IF_ERROR(check_text("actor.owner_type", event.actor.owner_type));
  RETURN_IF_ERROR(check_text("actor.email", event.actor.email));
  RETURN_IF_ERROR(check_text("actor.ip", event.actor.ip));
  if (event.resources.size() > kAuditResourcesMax) {
    return base::invalid_argument(fmt::format("[audit] {} resources, more than {}",
                                              event.resources.size(), kAuditResourcesMax));
  }
  for (const auto& resource : event.resources) {
    RETURN_IF_ERROR(check_text("resources", resource));
  }
  return absl::OkStatus();
}

// The details as the record keeps them: read again they say the same.
Object canonical_details(const Object& details) {
  const auto text = canonical_json(details);
  base::JsonLimits limits;
  limits.depth_max = kAuditDepthMax - 1;
  limits.bytes_max = kAuditDetailsBytesMax;
  if (auto again = base::parse_json(text, limits); again.ok()) return again->get_object();
  Object short_form{{"omitted_bytes", static_cast<std::int64_t>(text.size())},
                    {"omitted_sha256", audit_hash(text)}};
  const auto* id = details.if_contains("id");
  if (id != nullptr && id->is_string() && check_text("id", id->get_string()).ok())
    short_form["id"] = *id;
  return short_form;
}

// Reads members by name; the first that is missing or of another kind is remembered.
class Reader {
 public:
  explicit Reader(const Object& object) : object_(object) {}
  std::string text(const char* name) {
    const auto* value = object_.if_contains(name);
    if (value != nullptr && value->is_string()) return std::string(value->get_string());
    ok_ = false;
    return "";
  }
  std::int64_t integer(const char* name) {
    const auto* value = object_.if_contains(name);
    if (value != nullptr && value->is_int64()) return value->get_int64();
    ok_ = false;
    return 0;
  }
  Object object(const char* name) {
    const auto* value = object_.if_contains(name);
    if (value != nullptr && value->is_object()) return value->get_object();
    ok_ = false;
    return {};
  }
  std::vector<std::string> texts(const char* name) {
    std::vector<std::string> out;
    const auto* value = object_.if_contains(name);
    ok_ = ok_ && value != nullptr && value->is_array();
    if (!ok_) return out;
    for (const auto& item : value->get_array()) {
      ok_ = ok_ && item.is_string();
      if (ok_) out.emplace_back(item.get_string());
    }
    return out;
  }
  bool ok() const { return ok_; }

 private:
  const Object& object_;
  bool ok_ = true;
};

}  // namespace

std::string audit_hash(std::string_view record) {
  return absl::BytesToHexString(base::to_absl(sha256(record)));
}

std::string audit_id(std::string_view hash) {
  return fmt::format("audit_log-{}", hash.substr(0, 24));
}

absl::StatusOr<store::AuditRow> to_audit_row(const AuditEvent& event, const store::AuditHead& head,
                                             std::int64_t time_ms) {
  RETURN_IF_ERROR(check(event));
  AuditRecord record{head.size, head.size == 0 ? kAuditGenesis : head.hash, time_ms, event};
  auto& resources = record.event.resources;
  std::sort(resources.begin(), resources.end());
  resources.erase(std::unique(resources.begin(), resources.end()), resources.end());
  // Names are for people, who recognise their beginning.
  auto& name = record.event.project_name;
  if (!check_text("project_name", name).ok()) name.clear();
  record.event.details = canonical_details(event.details);
  return to_audit_row(record, canonical_json(to_object(record)));
}

absl::StatusOr<AuditRecord> parse_audit_record(std::string_view text) {
  base::JsonLimits limits;
  limits.depth_max = kAuditDepthMax;
  limits.bytes_max = kAuditRecordBytesMax;
  const auto parsed = base::parse_json(text, limits);
  if (!parsed.ok()) return base::data_loss("it is no JSON");
  if (!parsed->is_object()) return base::data_loss("it is no object");
  Reader read(parsed->get_object());
  if (read.integer("version") != kVersion) return base::data_loss("it is of another version");
  AuditRecord record{read.integer("index"), read.text("previous"), read.integer("time_ms"), {}};
  auto& event = record.event;
  event.type = read.text("type");
  event.organization = read.text("organization");
  event.resources = read.texts("resources");
  event.details = read.object("details");
  const auto project = read.object("project"), actor = read.object("actor");
  Reader of_project(project), of_actor(actor);
  event.project = of_project.text("id");
  event.project_name = of_project.text("name");
  event.actor = {of_actor.text("type"),       of_actor.text("id"),    of_actor.text("owner"),
                 of_actor.text("owner_type"), of_actor.text("email"), of_actor.text("ip")};
  if (!read.ok() || !of_project.ok() || !of_actor.ok())
    return base::data_loss("a field is missing or of another type");
  if (canonical_json(to_object(record)) != text)
    return base::data_loss("it is not in canonical form");
  return record;
}

store::AuditRow to_audit_row(const AuditRecord& record, std::string text) {
  store::AuditRow row;
  row.index = record.index;
  row.hash = audit_hash(text);
  row.id = audit_id(row.hash);
  row.time_ms = record.time_ms;
  row.record = std::move(text);
  row.organization = record.event.organization;
  row.type = record.event.type;
  row.project = record.event.project;
  row.actor = record.event.actor.id;
  row.owner = record.event.actor.owner;
  row.email = record.event.actor.email;
  row.resources = record.event.resources;
  return row;
}

std::string_view wrong_column(const store::AuditRow& row, const store::AuditRow& right) {
  if (row.id != right.id) return "id";
  if (row.time_ms != right.time_ms) return "time_ms";
  if (row.organization != right.organization) return "organization";
  if (row.type != right.type) return "type";
  if (row.project != right.project) return "project";
  if (row.actor != right.actor) return "actor";
  if (row.owner != right.owner) return "owner";
  if (row.email != right.email) return "email";
  if (row.resources != right.resources) return "resources";
  return "";
}

}  // namespace plinth::governance
