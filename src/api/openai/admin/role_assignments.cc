#include "api/openai/admin/role_assignments.h"

#include "api/openai/admin/groups.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/openai/admin/roles.h"
#include "api/openai/admin/users.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

governance::People& people(const Exchange& exchange) {
  return exchange.services().governance.people();
}

// Of whom, and where, a path speaks.
struct Place {
  governance::RoleScope scope;
  store::Subject subject;
};

absl::StatusOr<Place> place_of(const Exchange& exchange) {
  Place place;
  ASSIGN_OR_RETURN(place.scope, role_scope(exchange));
  const auto& id = parameter_after_project(exchange, 0);
  if (exchange.endpoint.find("/groups/") != std::string_view::npos) {
    RETURN_IF_ERROR(find_group(exchange, id).status());
    place.subject = store::group_subject(id);
  } else {
    RETURN_IF_ERROR(find_user(exchange, id).status());
    place.subject = store::user_subject(id);
  }
  return place;
}

// As OpenAI's audit log has it: an assignment has no id of its own.
void note(Exchange& exchange, const Place& place, const std::string& role) {
  const auto& project = place.scope.project;
  exchange.audit.id = role;
  exchange.audit.resources = {place.subject.id};
  exchange.audit.details = {
      {"principal_id", place.subject.id},
      {"principal_type", place.subject.kind},
      {"resource_id", project.empty() ? exchange.principal.organization : project},
      {"resource_type", project.empty() ? "api.organization" : "api.project"}};
}

// A role and through whom the subject has it: itself or groups.
struct Assigned {
  std::string id;
  governance::AccessRole role;
  base::json::array sources;
};

absl::StatusOr<std::vector<Assigned>> assigned(const Exchange& exchange, const Place& place) {
  auto& rows = people(exchange).assignments();
  ASSIGN_OR_RETURN(const auto all, place.subject.kind == "user"
                                       ? rows.all_roles_of_user(place.subject.id)
                                       : rows.roles_of(place.subject));
  std::vector<Assigned> out;
  for (const auto& one : all) {
    if (one.project != place.scope.project) continue;
    auto known = std::find_if(out.begin(), out.end(),
                              [&](const Assigned& other) { return other.id == one.role; });
    if (known == out.end()) {
      const auto role = people(exchange).roles().find(place.scope, one.role);
      if (absl::IsNotFound(role.status())) continue;  // removed at this moment
      RETURN_IF_ERROR(role.status());
      known = out.insert(out.end(), {one.role, *role, {}});
    }
    known->sources.push_back(
        Object{{"principal_type", one.subject.kind}, {"principal_id", one.subject.id}});
  }
  return out;
}

Object assigned_object(const Assigned& one, const governance::RoleScope& scope) {
  auto out = role_object(one.role, scope);
  out.erase("object");
  out["assignment_sources"] = one.sources;
  const auto time = [](std::int64_t time_s) {
    return time_s > 0 ? base::json::value(time_s) : base::json::value(nullptr);
  };
  out["created_at"] = time(one.role.created_s);
  out["updated_at"] = time(one.role.updated_s);
  return out;
}

Schema assignment_schema(const char* name, const char* kind, Field of) {
  return object(name,
                {required("object", one_string_of({kind}, "")), required("role", role_schema()),
                 std::move(of)},
                "");
}

}  // namespace

const Schema& assigned_role_schema() {
  static const Schema schema = [] {
    auto fields = role_fields();
    fields.push_back(
        required("assignment_sources",
                 array(object("AssignmentSource",
                              {required("principal_type", one_string_of({"user", "group"}, "")),
                               required("principal_id", string(""))},
                              ""),
                       0, SIZE_MAX, "Through whom they have it.")));
    fields.push_back(required("created_at", integer(0, INT64_MAX, "").or_null()));
    fields.push_back(required("updated_at", integer(0, INT64_MAX, "").or_null()));
    return object("AssignedRole", std::move(fields), "");
  }();
  return schema;
}

const Schema& assigned_role_list_schema() {
  static const Schema schema = next_list_schema("AssignedRoleList", assigned_role_schema());
  return schema;
}

const Schema& role_assignment_request_schema() {
  static const Schema schema =
      object("RoleAssignmentRequest", {required("role_id", string("").length(1, 256))}, "");
  return schema;
}

const Schema& user_role_schema() {
  static const Schema schema =
      assignment_schema("UserRole", "user.role", required("user", user_schema()));
  return schema;
}

const Schema& group_role_schema() {
  static const Schema schema = assignment_schema(
      "GroupRole", "group.role",
      required("group", object("RoleGroup",
                               {required("object", one_string_of({"group"}, "")),
                                required("id", string("")), required("name", string("")),
                                required("created_at", integer(0, INT64_MAX, "")),
                                required("scim_managed", boolean(""))},
                               "")));
  return schema;
}

const Schema& role_unassignment_schema() {
  static const Schema schema =
      object("RoleUnassignment",
             {required("object", one_string_of({"user.role.deleted", "group.role.deleted"}, "")),
              required("deleted", boolean(""))},
             "");
  return schema;
}

void list_assigned_roles(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, next_page_query_schema()));
    ASSIGN_OR_RETURN(auto all, assigned(*exchange, place));
    ASSIGN_OR_RETURN(const auto page,
                     page_of_list(std::move(all), page_of(next_page_query_schema(), query)));
    base::json::array data;
    for (const auto& one : page.rows) data.push_back(assigned_object(one, place.scope));
    return next_list_object(std::move(data), page.has_more,
                            page.rows.empty() ? "" : page.rows.back().id);
  }());
}

void assign_role(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, role_assignment_request_schema()));
    const std::string id(body.at("role_id").get_string());
    note(*exchange, place, id);
    ASSIGN_OR_RETURN(const auto role, people(*exchange).roles().find(place.scope, id));
    RETURN_IF_ERROR(
        people(*exchange).give(exchange->principal, place.subject, place.scope.project, id));
    Object out{{"object", place.subject.kind + ".role"}, {"role", role_object(role, place.scope)}};
    if (place.subject.kind == "group") {
      ASSIGN_OR_RETURN(const auto group, find_group(*exchange, place.subject.id));
      out["group"] = Object{{"object", "group"},
                            {"id", group.id},
                            {"name", group.name},
                            {"created_at", group.created_s},
                            {"scim_managed", false}};
    } else {
      ASSIGN_OR_RETURN(const auto user, find_user(*exchange, place.subject.id));
      ASSIGN_OR_RETURN(out["user"], user_object(*exchange, user));
    }
    return out;
  }());
}

void retrieve_assigned_role(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    const auto& id = parameter_after_project(*exchange, 1);
    ASSIGN_OR_RETURN(const auto all, assigned(*exchange, place));
    for (const auto& one : all)
      if (one.id == id) return assigned_object(one, place.scope);
    return base::not_found("No such role of this " + place.subject.kind + ": " + id);
  }());
}

void unassign_role(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    const auto& id = parameter_after_project(*exchange, 1);
    note(*exchange, place, id);
    RETURN_IF_ERROR(
        people(*exchange).take(exchange->principal, place.subject, place.scope.project, id));
    return Object{{"object", place.subject.kind + ".role.deleted"}, {"deleted", true}};
  }());
}

}  // namespace plinth::api
