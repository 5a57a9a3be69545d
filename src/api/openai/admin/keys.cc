#include "api/openai/admin/keys.h"

#include <chrono>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::Role;

constexpr char kProjectKey[] = "organization.project.api_key";
constexpr char kAdminKey[] = "organization.admin_api_key";
constexpr std::size_t kNameMax = 256, kListMax = 256;
constexpr std::int64_t kOverlapMax = 90 * 86'400;

governance::ApiKeys& keys(const Exchange& exchange) {
  return exchange.services().governance.keys();
}

std::vector<std::string> texts(const base::json::value* list) {
  std::vector<std::string> out;
  if (list == nullptr || !list->is_array()) return out;
  for (const auto& text : list->get_array()) out.emplace_back(text.get_string());
  return out;
}

base::json::value list_or_null(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  auto parsed = base::parse_json(*text);
  return parsed.ok() ? *std::move(parsed) : base::json::value(nullptr);
}

Object key_object(const char* kind, const store::KeyRow& row) {
  Object owner{{"type", "service_account"}, {"service_account", nullptr}, {"user", nullptr}};
  if (row.service_account) owner["service_account"] = Object{{"id", *row.service_account}};
  return {{"object", kind},
          {"id", row.id},
          {"name", row.name},
          {"redacted_value", row.hint},
          {"created_at", row.created_unix_s},
          {"expires_at", time_or_null(row.expires_unix_s)},
          {"last_used_at", time_or_null(row.last_used_unix_s)},
          {"models", list_or_null(row.models)},
          {"networks", list_or_null(row.networks)},
          {"owner", std::move(owner)}};
}

Object with_value(Object object, const std::string& text) {
  object["value"] = text;
  return object;
}

Schema key_schema(const char* name, const char* kind) {
  return object(
      name,
      {required("object", one_string_of({kind}, "")), required("id", string("")),
       required("name", string("")), required("redacted_value", string("What may be shown of it.")),
       optional("value", string("The key itself, in the answer that made it alone.")),
       required("created_at", integer(0, INT64_MAX, "")),
       required("expires_at", integer(0, INT64_MAX, "").or_null()),
       required("last_used_at", integer(0, INT64_MAX, "").or_null()),
       required("models",
                array(string(""), 0, SIZE_MAX, "It may call; null = every one.").or_null()),
       required("networks",
                array(string(""), 0, SIZE_MAX, "It may be used from; null = every one.").or_null()),
       required("owner", any("Whose key it is."))},
      "");
}

std::vector<Field> restriction_fields() {
  return {optional("expires_at", integer(0, INT64_MAX, "Seconds since 1970.")),
          optional("networks", array(string("").length(1, 64), 0, kListMax,
                                     "Networks it may be used from: 10.0.0.0/8, ::1."))};
}

// A key of this kind that belongs to the caller's organization, and to the project where one is
// named.
absl::StatusOr<store::KeyRow> find_key(const Exchange& exchange, const std::string& id,
                                       std::string_view role, const std::string& project) {
  auto row = keys(exchange).find(id);
  const bool found = row.ok() && row->role == role && !row->revoked_unix_s &&
                     row->organization == exchange.principal.organization &&
                     (project.empty() || row->project == project);
  if (absl::IsNotFound(row.status()) || (row.ok() && !found))
    return base::not_found("No such API key: " + id);
  return row;
}

governance::KeySpec spec_of(const Exchange& exchange, const Object& body) {
  governance::KeySpec spec;
  spec.organization = exchange.principal.organization;
  spec.name = std::string(body.at("name").get_string());
  const auto* models = body.if_contains("models");
  spec.models = texts(models);
  spec.networks = texts(body.if_contains("networks"));
  const auto* expires = body.if_contains("expires_at");
  if (expires != nullptr && !expires->is_null()) spec.expires_unix_s = to_integer(*expires);
  return spec;
}

// A network that is none is the caller's own mistake.
absl::StatusOr<governance::NewKey> make_key(const Exchange& exchange,
                                            const governance::KeySpec& spec) {
  auto made = keys(exchange).create(spec);
  if (absl::IsInvalidArgument(made.status()))
    return parameter_error(base::message(made.status()), "networks", "invalid_value");
  return made;
}

absl::Status archived(const store::ProjectRow& project) {
  if (!project.archived_s) return absl::OkStatus();
  return base::invalid_argument("The project " + project.id + " is archived.");
}

absl::StatusOr<Object> remove_key(const Exchange& exchange, const store::KeyRow& row,
                                  const char* kind) {
  RETURN_IF_ERROR(keys(exchange).revoke(row.id));
  return deletion_object(kind, row.id);
}

}  // namespace

const Schema& plain_page_query() {
  static const Schema schema = page_query();
  return schema;
}

const Schema& project_key_schema() {
  static const Schema schema = key_schema("ProjectApiKey", kProjectKey);
  return schema;
}
const Schema& project_key_list_schema() {
  static const Schema schema = list_schema("ProjectApiKeyList", project_key_schema());
  return schema;
}
const Schema& project_key_deletion_schema() {
  static const Schema schema = deletion_schema("ProjectApiKeyDeletion", kProjectKey);
  return schema;
}
const Schema& admin_key_schema() {
  static const Schema schema = key_schema("AdminApiKey", kAdminKey);
  return schema;
}
const Schema& admin_key_list_schema() {
  static const Schema schema = list_schema("AdminApiKeyList", admin_key_schema());
  return schema;
}
const Schema& admin_key_deletion_schema() {
  static const Schema schema = deletion_schema("AdminApiKeyDeletion", kAdminKey);
  return schema;
}

const Schema& project_key_request_schema() {
  static const Schema schema = [] {
    auto fields = restriction_fields();
    fields.insert(fields.begin(), required("name", string("").length(1, kNameMax)));
    fields.push_back(optional("models", array(string("").length(1, 512), 0, kListMax,
                                              "Models it may call; absent = every one.")));
    return object("ProjectApiKeyRequest", std::move(fields), "");
  }();
  return schema;
}

const Schema& admin_key_request_schema() {
  static const Schema schema = [] {
    auto fields = restriction_fields();
    fields.insert(fields.begin(), required("name", string("").length(1, kNameMax)));
    return object("AdminApiKeyRequest", std::move(fields), "");
  }();
  return schema;
}

const Schema& key_rotation_schema() {
  static const Schema schema = object(
      "ApiKeyRotation",
      {optional("overlap_seconds",
                integer(0, kOverlapMax, "How long the old key is still good.").or_else(86'400))},
      "");
  return schema;
}

void list_project_keys(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, plain_page_query()));
    ASSIGN_OR_RETURN(const auto page, keys(*exchange).list(Role::project, project.id,
                                                           page_of(plain_page_query(), query)));
    return list_object(page, [](const auto& row) { return key_object(kProjectKey, row); });
  }());
}

void create_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    RETURN_IF_ERROR(archived(project));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_key_request_schema()));
    auto spec = spec_of(*exchange, body);
    spec.project = project.id;
    ASSIGN_OR_RETURN(const auto made, make_key(*exchange, spec));
    return with_value(key_object(kProjectKey, made.row), made.text);
  }());
}

void retrieve_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto row,
                     find_key(*exchange, exchange->parameter(1), "project", project.id));
    return key_object(kProjectKey, row);
  }());
}

void rotate_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    RETURN_IF_ERROR(archived(project));
    ASSIGN_OR_RETURN(const auto row,
                     find_key(*exchange, exchange->parameter(1), "project", project.id));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, key_rotation_schema()));
    const auto overlap = Values(key_rotation_schema(), body).integer("overlap_seconds");
    ASSIGN_OR_RETURN(const auto made,
                     keys(*exchange).rotate(row.id, std::chrono::seconds(overlap)));
    exchange->audit = {row.id,
                       {{"changes_requested", Object{{"expires_in_seconds", overlap}}},
                        {"replaced_by", made.row.id}}};
    return with_value(key_object(kProjectKey, made.row), made.text);
  }());
}

void delete_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto row,
                     find_key(*exchange, exchange->parameter(1), "project", project.id));
    return remove_key(*exchange, row, kProjectKey);
  }());
}

void list_admin_keys(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, plain_page_query()));
    ASSIGN_OR_RETURN(const auto page,
                     keys(*exchange).list(Role::admin, "", page_of(plain_page_query(), query)));
    return list_object(page, [](const auto& row) { return key_object(kAdminKey, row); });
  }());
}

void create_admin_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, admin_key_request_schema()));
    auto spec = spec_of(*exchange, body);
    spec.role = Role::admin;
    ASSIGN_OR_RETURN(const auto made, make_key(*exchange, spec));
    return with_value(key_object(kAdminKey, made.row), made.text);
  }());
}

void retrieve_admin_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_key(*exchange, exchange->parameter(0), "admin", ""));
    return key_object(kAdminKey, row);
  }());
}

void delete_admin_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_key(*exchange, exchange->parameter(0), "admin", ""));
    return remove_key(*exchange, row, kAdminKey);
  }());
}

}  // namespace plinth::api
