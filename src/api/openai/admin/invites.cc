#include "api/openai/admin/invites.h"

#include "api/openai/admin/keys.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/users.h"
#include "api/schema/values.h"
#include "governance/limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr char kInvite[] = "organization.invite";

governance::Invites& invites(const Exchange& exchange) {
  return exchange.services().governance.invites();
}

absl::StatusOr<Object> invite_object(const Exchange& exchange, const store::InviteRow& row) {
  ASSIGN_OR_RETURN(const auto projects, governance::projects_of(row));
  base::json::array list;
  for (const auto& [id, role] : projects) list.push_back(Object{{"id", id}, {"role", role}});
  const auto now_s = exchange.services().clock.unix_seconds();
  return Object{{"object", kInvite},
                {"id", row.id},
                {"email", row.email},
                {"role", row.role},
                {"status", base::json::string(governance::invite_status(row, now_s))},
                {"created_at", row.created_s},
                {"expires_at", row.expires_s},
                {"accepted_at", time_or_null(row.accepted_s)},
                {"projects", std::move(list)}};
}

Schema invite_project_schema(const char* name) {
  return object(
      name,
      {required("id", string("").length(1, 256)),
       required("role", one_string_of({"owner", "member"}, "What they become in this project."))},
      "");
}

governance::InviteSpec spec_of(const Object& body) {
  governance::InviteSpec spec;
  spec.email = std::string(body.at("email").get_string());
  spec.role = std::string(body.at("role").get_string());
  const auto* projects = body.if_contains("projects");
  if (projects == nullptr || !projects->is_array()) return spec;
  for (const auto& entry : projects->get_array()) {
    const auto& project = entry.get_object();
    spec.projects.emplace_back(std::string(project.at("id").get_string()),
                               std::string(project.at("role").get_string()));
  }
  return spec;
}

}  // namespace

const Schema& invite_schema() {
  static const Schema schema = object(
      "Invite",
      {required("object", one_string_of({kInvite}, "")), required("id", string("")),
       required("email", string("")), required("role", one_string_of({"owner", "reader"}, "")),
       required("status", one_string_of({"pending", "accepted", "expired"}, "")),
       required("created_at", integer(0, INT64_MAX, "")),
       required("expires_at", integer(0, INT64_MAX, "")),
       required("accepted_at", integer(0, INT64_MAX, "").or_null()),
       required("projects", array(invite_project_schema("InviteProject"), 0, SIZE_MAX, "")),
       optional("token", string("What its holder joins with, in the answer that made it alone."))},
      "");
  return schema;
}

const Schema& invite_list_schema() {
  static const Schema schema = list_schema("InviteList", invite_schema());
  return schema;
}

const Schema& invite_request_schema() {
  static const Schema schema =
      object("InviteRequest",
             {required("email", string("").length(1, governance::kEmailBytesMax)),
              required("role", one_string_of({"owner", "reader"}, "What they become.")),
              optional("projects", array(invite_project_schema("InviteRequestProject"), 0,
                                         governance::kInviteProjectsMax, "That they join, too."))},
             "");
  return schema;
}

const Schema& invite_deletion_schema() {
  static const Schema schema = deletion_schema("InviteDeletion", "organization.invite.deleted");
  return schema;
}

const Schema& invite_acceptance_schema() {
  static const Schema schema =
      object("InviteAcceptance",
             {required("token", string("").length(1, 256)),
              required("name", string("What others call you.").length(1, 256))},
             "");
  return schema;
}

const Schema& new_user_schema() {
  static const Schema schema =
      object("NewUser",
             {required("object", one_string_of({"organization.user"}, "")),
              required("id", string("")), required("email", string("").or_null()),
              required("name", string("")), required("added_at", integer(0, INT64_MAX, ""))},
             "");
  return schema;
}

void list_invites(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, plain_page_query()));
    ASSIGN_OR_RETURN(const auto page,
                     invites(*exchange).rows().list(exchange->principal.organization,
                                                    page_of(plain_page_query(), query)));
    base::json::array data;
    for (const auto& row : page.rows) {
      ASSIGN_OR_RETURN(data.emplace_back(nullptr), invite_object(*exchange, row));
    }
    return list_object(std::move(data), page.has_more);
  }());
}

void create_invite(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, invite_request_schema()));
    ASSIGN_OR_RETURN(const auto made,
                     invites(*exchange).create(exchange->principal, spec_of(body)));
    ASSIGN_OR_RETURN(auto out, invite_object(*exchange, made.row));
    out["token"] = made.token;
    return out;
  }());
}

void retrieve_invite(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, invites(*exchange).rows().find(
                                         exchange->principal.organization, exchange->parameter(0)));
    return invite_object(*exchange, row);
  }());
}

void delete_invite(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    RETURN_IF_ERROR(invites(*exchange).remove(exchange->principal, exchange->parameter(0)));
    return deletion_object("organization.invite.deleted", exchange->parameter(0));
  }());
}

void accept_invite(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, invite_acceptance_schema()));
    governance::Joining joining;
    ASSIGN_OR_RETURN(joining.name, read_name(body, "name"));
    const std::string_view token = body.at("token").get_string();
    ASSIGN_OR_RETURN(const auto row, invites(*exchange).accept(token, joining));
    // They act for themselves, before they have a key.
    governance::AuditActor actor{"session", row.id};
    actor.email = row.email.value_or("");
    exchange->audit.actor = actor;
    return Object{{"object", "organization.user"},
                  {"id", row.id},
                  {"email", text_or_null(row.email)},
                  {"name", row.name},
                  {"added_at", row.added_s}};
  }());
}

}  // namespace plinth::api
