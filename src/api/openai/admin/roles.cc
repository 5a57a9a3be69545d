#include "api/openai/admin/roles.h"

#include "api/error_map.h"
#include "api/openai/admin/groups.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/openai/admin/users.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr std::size_t kNameMax = 256, kDescriptionMax = 1024, kPermissionsMax = 64;

governance::People& people(const Exchange& exchange) {
  return exchange.services().governance.people();
}

bool in_project(const Exchange& exchange) {
  return exchange.endpoint.find("{project}") != std::string_view::npos;
}

absl::StatusOr<governance::PermissionSet> read_permissions(const Object& body) {
  std::vector<std::string> names;
  for (const auto& name : body.at("permissions").get_array()) names.emplace_back(name.get_string());
  auto set = governance::parse_permissions(names);
  if (!set.ok())
    return parameter_error(base::message(set.status()), "permissions", "invalid_value");
  return set;
}

// What a body gives replaces what `spec` has.
absl::Status read_spec(const Schema& schema, const Object& body, governance::RoleSpec& spec) {
  const Values values(schema, body);
  if (values.given("role_name") != nullptr) {
    ASSIGN_OR_RETURN(spec.name, read_name(body, "role_name"));
  }
  if (values.given("description") != nullptr) {
    ASSIGN_OR_RETURN(spec.description, read_name(body, "description"));
  }
  if (values.given("permissions") != nullptr) {
    ASSIGN_OR_RETURN(spec.permissions, read_permissions(body));
  }
  return absl::OkStatus();
}

Schema permissions_field() {
  return array(string("").length(1, 64), 1, kPermissionsMax, "Names as in docs/roles.md.");
}

}  // namespace

base::json::array name_array(governance::PermissionSet set) {
  base::json::array names;
  for (const auto& name : governance::permission_names(set))
    names.push_back(base::json::string(name));
  return names;
}

absl::StatusOr<governance::RoleScope> role_scope(const Exchange& exchange) {
  governance::RoleScope scope{exchange.principal.organization, ""};
  if (in_project(exchange)) {
    ASSIGN_OR_RETURN(const auto project, find_project(exchange, exchange.parameter(0)));
    scope.project = project.id;
  }
  return scope;
}

const std::string& parameter_after_project(const Exchange& exchange, std::size_t index) {
  return exchange.parameter(index + (in_project(exchange) ? 1 : 0));
}

std::vector<Field> role_fields() {
  return {required("id", string("")),
          required("name", string("")),
          required("description", string("").or_null()),
          required("permissions", array(string(""), 0, SIZE_MAX, "")),
          required("predefined_role", boolean("Whether every installation has it.")),
          required("resource_type", one_string_of({"api.organization", "api.project"}, ""))};
}

Object role_object(const governance::AccessRole& role, const governance::RoleScope& scope) {
  return {{"object", "role"},
          {"id", role.id},
          {"name", role.name},
          {"description", text_or_null(role.description)},
          {"permissions", name_array(role.permissions)},
          {"predefined_role", role.built_in},
          {"resource_type", scope.project.empty() ? "api.organization" : "api.project"}};
}

const Schema& role_schema() {
  static const Schema schema = [] {
    auto fields = role_fields();
    fields.insert(fields.begin(), required("object", one_string_of({"role"}, "")));
    return object("Role", std::move(fields), "");
  }();
  return schema;
}

const Schema& role_list_schema() {
  static const Schema schema = next_list_schema("RoleList", role_schema());
  return schema;
}

const Schema& role_request_schema() {
  static const Schema schema =
      object("RoleRequest",
             {required("role_name", string("No other role's.").length(1, kNameMax)),
              required("permissions", permissions_field()),
              optional("description", string("").length(0, kDescriptionMax))},
             "");
  return schema;
}

const Schema& role_change_schema() {
  static const Schema schema =
      object("RoleChange",
             {optional("role_name", string("No other role's.").length(1, kNameMax)),
              optional("permissions", permissions_field()),
              optional("description", string("").length(0, kDescriptionMax))},
             "");
  return schema;
}

const Schema& role_deletion_schema() {
  static const Schema schema = deletion_schema("RoleDeletion", "role.deleted");
  return schema;
}

void list_roles(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto scope, role_scope(*exchange));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, next_page_query_schema()));
    ASSIGN_OR_RETURN(auto roles, people(*exchange).roles().list(scope));
    ASSIGN_OR_RETURN(const auto page,
                     page_of_list(std::move(roles), page_of(next_page_query_schema(), query)));
    base::json::array data;
    for (const auto& role : page.rows) data.push_back(role_object(role, scope));
    return next_list_object(std::move(data), page.has_more,
                            page.rows.empty() ? "" : page.rows.back().id);
  }());
}

void create_role(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto scope, role_scope(*exchange));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, role_request_schema()));
    governance::RoleSpec spec;
    RETURN_IF_ERROR(read_spec(role_request_schema(), body, spec));
    ASSIGN_OR_RETURN(const auto id, people(*exchange).new_id("role_"));
    ASSIGN_OR_RETURN(const auto role,
                     people(*exchange).roles().create(exchange->principal, scope, id, spec,
                                                      exchange->services().clock.unix_seconds()));
    return role_object(role, scope);
  }());
}

void retrieve_role(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto scope, role_scope(*exchange));
    ASSIGN_OR_RETURN(const auto role,
                     people(*exchange).roles().find(scope, parameter_after_project(*exchange, 0)));
    return role_object(role, scope);
  }());
}

void modify_role(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto scope, role_scope(*exchange));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, role_change_schema()));
    auto& roles = people(*exchange).roles();
    ASSIGN_OR_RETURN(const auto before, roles.find(scope, parameter_after_project(*exchange, 0)));
    governance::RoleSpec spec{before.name, before.description, before.permissions};
    RETURN_IF_ERROR(read_spec(role_change_schema(), body, spec));
    ASSIGN_OR_RETURN(const auto role, roles.update(exchange->principal, scope, before.id, spec,
                                                   exchange->services().clock.unix_seconds()));
    return role_object(role, scope);
  }());
}

void delete_role(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto scope, role_scope(*exchange));
    const auto& id = parameter_after_project(*exchange, 0);
    RETURN_IF_ERROR(people(*exchange).roles().remove(exchange->principal, scope, id));
    return deletion_object("role.deleted", id);
  }());
}

}  // namespace plinth::api
