#include "api/openai/admin/keys.h"

#include <chrono>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/openai/admin/users.h"
#include "api/schema/values.h"
#include "governance/limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::Role;

constexpr char kProjectKey[] = "organization.project.api_key";
constexpr char kAdminKey[] = "organization.admin_api_key";
constexpr std::size_t kNameMax = governance::kKeyNameBytesMax, kListMax = 256;
constexpr std::size_t kScopesMax = 64;
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

std::vector<std::string> texts_of(const std::optional<std::string>& row) {
  if (!row) return {};
  const auto parsed = base::parse_json(*row);
  return parsed.ok() ? texts(&*parsed) : std::vector<std::string>();
}

base::json::value list_or_null(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  auto parsed = base::parse_json(*text);
  return parsed.ok() ? *std::move(parsed) : base::json::value(nullptr);
}

absl::StatusOr<Object> owner_object(const Exchange& exchange, const store::KeyRow& row) {
  Object owner{{"type", nullptr}, {"service_account", nullptr}, {"user", nullptr}};
  auto& governance = exchange.services().governance;
  if (row.service_account) {
    owner["type"] = "service_account";
    const auto account = governance.tenants().service_account(*row.service_account);
    if (absl::IsNotFound(account.status())) return owner;
    RETURN_IF_ERROR(account.status());
    owner["service_account"] = Object{{"id", account->id},
                                      {"name", account->name},
                                      {"role", account->role},
                                      {"created_at", account->created_s}};
  }
  if (row.person) {
    owner["type"] = "user";
    const auto user = find_user(exchange, *row.person);
    if (absl::IsNotFound(user.status())) return owner;
    RETURN_IF_ERROR(user.status());
    ASSIGN_OR_RETURN(const auto roles,
                     governance.people().assignments().all_roles_of_user(user->id));
    const auto word = row.project.empty() ? governance::organization_word(roles)
                                          : governance::project_word(roles, row.project);
    owner["user"] = Object{{"id", user->id},
                           {"email", user->email.value_or("")},
                           {"name", user->name},
                           {"role", base::json::string(word)},
                           {"created_at", user->added_s}};
  }
  return owner;
}

absl::StatusOr<Object> key_object(const Exchange& exchange, const char* kind,
                                  const store::KeyRow& row) {
  ASSIGN_OR_RETURN(auto owner, owner_object(exchange, row));
  const auto rights = keys(exchange).rights(row);
  const bool active = rights.ok() && !rights->grants.anywhere().empty();
  return Object{{"object", kind},
                {"id", row.id},
                {"name", row.name},
                {"redacted_value", row.hint},
                {"created_at", row.created_unix_s},
                {"expires_at", time_or_null(row.expires_unix_s)},
                {"last_used_at", time_or_null(row.last_used_unix_s)},
                {"models", list_or_null(row.models)},
                {"networks", list_or_null(row.networks)},
                {"scopes", list_or_null(row.scopes)},
                {"owner_project_access", active ? "active" : "inactive"},
                {"owner", std::move(owner)}};
}

absl::StatusOr<Object> key_page(const Exchange& exchange, const char* kind,
                                const store::Page<store::KeyRow>& page) {
  base::json::array data;
  for (const auto& row : page.rows) {
    ASSIGN_OR_RETURN(data.emplace_back(nullptr), key_object(exchange, kind, row));
  }
  return list_object(std::move(data), page.has_more);
}

absl::StatusOr<Object> with_value(const Exchange& exchange, const char* kind,
                                  const governance::NewKey& made) {
  ASSIGN_OR_RETURN(auto object, key_object(exchange, kind, made.row));
  object["value"] = made.text;
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
       required("scopes",
                array(string(""), 0, SIZE_MAX, "Permissions that it has; null = those of its kind.")
                    .or_null()),
       required("owner_project_access",
                one_string_of({"active", "inactive"}, "Whether it may do anything now.")),
       required("owner", any("Whose key it is: a user's, a service account's or nobody's."))},
      "");
}

std::vector<Field> restriction_fields() {
  return {optional("expires_at", integer(0, INT64_MAX, "Seconds since 1970.")),
          optional("networks", array(string("").length(1, 64), 0, kListMax,
                                     "Networks it may be used from: 10.0.0.0/8, ::1.")),
          optional("user_id", string("Who owns it: it ends with them, and never gives more than "
                                     "they have.")
                                  .length(1, 256)),
          scopes_field()};
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

absl::StatusOr<governance::KeySpec> spec_of(const Exchange& exchange, const Object& body,
                                            Role role) {
  governance::KeySpec spec;
  spec.organization = exchange.principal.organization;
  spec.role = role;
  spec.name = std::string(body.at("name").get_string());
  const auto* models = body.if_contains("models");
  spec.models = texts(models);
  spec.networks = texts(body.if_contains("networks"));
  const auto* expires = body.if_contains("expires_at");
  if (expires != nullptr && !expires->is_null()) spec.expires_unix_s = to_integer(*expires);
  ASSIGN_OR_RETURN(spec.scopes, read_scopes(body, role));
  const auto* user = body.if_contains("user_id");
  if (user != nullptr && !user->is_null()) {
    const auto owner = find_user(exchange, std::string(user->get_string()));
    if (absl::IsNotFound(owner.status()))
      return parameter_error(base::message(owner.status()), "user_id", "invalid_value");
    RETURN_IF_ERROR(owner.status());
    if (owner->disabled_s)
      return parameter_error("The user is disabled.", "user_id", "invalid_value");
    spec.user = owner->id;
  }
  return spec;
}

absl::Status check_shown_to(const Exchange& exchange, const store::KeyRow& row) {
  const auto rights = keys(exchange).rights(row);
  // One whose owner is gone gives nothing.
  if (absl::IsNotFound(rights.status())) return absl::OkStatus();
  RETURN_IF_ERROR(rights.status());
  return governance::check_may_hand_out(exchange.principal, row.project, *rights,
                                        texts_of(row.models));
}

absl::StatusOr<Object> remove_key(const Exchange& exchange, const store::KeyRow& row,
                                  const char* kind) {
  const auto rights = keys(exchange).rights(row);
  if (rights.ok()) {
    RETURN_IF_ERROR(exchange.principal.check_may_take(
        rights->grants.in(row.project) | rights->delegable, row.project));
  } else if (!absl::IsNotFound(rights.status())) {
    return rights.status();
  }
  RETURN_IF_ERROR(keys(exchange).revoke(row.id));
  return deletion_object(kind, row.id);
}

}  // namespace

absl::StatusOr<governance::NewKey> make_key(const Exchange& exchange,
                                            const governance::KeySpec& spec) {
  store::KeyRow row;
  row.organization = spec.organization;
  row.project = spec.project;
  row.role = spec.role == Role::admin ? "admin" : "project";
  if (!spec.service_account.empty()) row.service_account = spec.service_account;
  if (!spec.user.empty()) row.person = spec.user;
  if (spec.scopes) row.scopes = governance::to_row(*spec.scopes);
  ASSIGN_OR_RETURN(const auto rights, keys(exchange).rights(row));
  if (row.person && rights.grants.anywhere().empty()) {
    return parameter_error("The user may do nothing that the key could be for.", "user_id",
                           "invalid_value");
  }
  RETURN_IF_ERROR(
      governance::check_may_hand_out(exchange.principal, spec.project, rights, spec.models));
  auto made = keys(exchange).create(spec);
  // A network that is none is the caller's own mistake.
  if (absl::IsInvalidArgument(made.status()))
    return parameter_error(base::message(made.status()), "networks", "invalid_value");
  return made;
}

Field scopes_field() {
  return optional("scopes", array(string("").length(1, 64), 0, kScopesMax,
                                  "Permissions it has, named as in docs/roles.md; absent or "
                                  "empty = those of its kind."));
}

Field lifetime_field() {
  return optional("expires_in_seconds",
                  integer(1, governance::kKeyLifetimeMaxS, "How long it is good from now on."));
}

std::optional<std::int64_t> read_lifetime(const Exchange& exchange, const Object& body) {
  const auto* lifetime = body.if_contains("expires_in_seconds");
  if (lifetime == nullptr || lifetime->is_null()) return std::nullopt;
  return exchange.services().clock.unix_seconds() + to_integer(*lifetime);
}

absl::StatusOr<std::optional<governance::PermissionSet>> read_scopes(const Object& body,
                                                                     Role role) {
  const auto names = texts(body.if_contains("scopes"));
  if (names.empty()) return std::nullopt;
  const auto set = governance::parse_permissions(names);
  if (!set.ok()) return parameter_error(base::message(set.status()), "scopes", "invalid_value");
  if (role == Role::project && !governance::project_permissions().covers(*set)) {
    return parameter_error("A key of a project cannot have permissions of the whole installation.",
                           "scopes", "invalid_value");
  }
  return *set;
}

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

const Schema& project_key_change_schema() {
  static const Schema schema =
      object("ProjectApiKeyChange", {lifetime_field(), scopes_field()}, "");
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
    return key_page(*exchange, kProjectKey, page);
  }());
}

void create_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_open_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_key_request_schema()));
    ASSIGN_OR_RETURN(auto spec, spec_of(*exchange, body, Role::project));
    spec.project = project.id;
    ASSIGN_OR_RETURN(const auto made, make_key(*exchange, spec));
    return with_value(*exchange, kProjectKey, made);
  }());
}

void retrieve_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto row,
                     find_key(*exchange, exchange->parameter(1), "project", project.id));
    return key_object(*exchange, kProjectKey, row);
  }());
}

void modify_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(auto row, find_key(*exchange, exchange->parameter(1), "project", project.id));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_key_change_schema()));
    const auto now_s = exchange->services().clock.unix_seconds();
    if (row.expires_unix_s && *row.expires_unix_s <= now_s)
      return base::invalid_argument("The key has expired: make another one.");
    const auto* scopes = body.if_contains("scopes");
    if (scopes != nullptr && !scopes->is_null()) {
      ASSIGN_OR_RETURN(const auto set, read_scopes(body, Role::project));
      row.scopes = set ? std::optional(governance::to_row(*set)) : std::nullopt;
      RETURN_IF_ERROR(check_shown_to(*exchange, row));
      RETURN_IF_ERROR(keys(*exchange).set_scopes(row.id, set));
    }
    if (const auto expires_s = read_lifetime(*exchange, body))
      RETURN_IF_ERROR(keys(*exchange).set_expiry(row.id, *expires_s));
    ASSIGN_OR_RETURN(const auto changed, keys(*exchange).find(row.id));
    return key_object(*exchange, kProjectKey, changed);
  }());
}

void rotate_project_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_open_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto row,
                     find_key(*exchange, exchange->parameter(1), "project", project.id));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, key_rotation_schema()));
    RETURN_IF_ERROR(check_shown_to(*exchange, row));
    const auto overlap = Values(key_rotation_schema(), body).integer("overlap_seconds");
    ASSIGN_OR_RETURN(const auto made,
                     keys(*exchange).rotate(row.id, std::chrono::seconds(overlap)));
    exchange->audit = {row.id,
                       {{"changes_requested", Object{{"expires_in_seconds", overlap}}},
                        {"replaced_by", made.row.id}}};
    return with_value(*exchange, kProjectKey, made);
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
    return key_page(*exchange, kAdminKey, page);
  }());
}

void create_admin_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, admin_key_request_schema()));
    ASSIGN_OR_RETURN(const auto spec, spec_of(*exchange, body, Role::admin));
    ASSIGN_OR_RETURN(const auto made, make_key(*exchange, spec));
    return with_value(*exchange, kAdminKey, made);
  }());
}

void retrieve_admin_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_key(*exchange, exchange->parameter(0), "admin", ""));
    return key_object(*exchange, kAdminKey, row);
  }());
}

void delete_admin_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_key(*exchange, exchange->parameter(0), "admin", ""));
    return remove_key(*exchange, row, kAdminKey);
  }());
}

}  // namespace plinth::api
