#include <set>

#include "api/openai/admin/keys.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::Role;

constexpr char kAccount[] = "organization.project.service_account";
constexpr char kAccountKey[] = "organization.project.service_account.api_key";
constexpr char kNoRole[] = "none";

store::TenantStore& tenants(const Exchange& exchange) {
  return exchange.services().governance.tenants();
}

Object account_object(const store::ServiceAccountRow& row) {
  return {{"object", kAccount},
          {"id", row.id},
          {"name", row.name},
          {"role", row.role},
          {"created_at", row.created_s}};
}

absl::StatusOr<store::ServiceAccountRow> find_account(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto project, find_project(exchange, exchange.parameter(0)));
  ASSIGN_OR_RETURN(auto row, tenants(exchange).service_account(exchange.parameter(1)));
  if (row.project != project.id)
    return base::not_found("No such service account: " + exchange.parameter(1));
  return row;
}

Schema account_key_schema() {
  return object(
      "ServiceAccountKey",
      {required("object", one_string_of({kAccountKey}, "")), required("id", string("")),
       required("name", string("")), required("value", string("The key itself, here alone.")),
       required("created_at", integer(0, INT64_MAX, "")),
       required("expires_at", integer(0, INT64_MAX, "").or_null())},
      "");
}

// Makes a key of an account.
absl::StatusOr<Object> account_key(const Exchange& exchange,
                                   const store::ServiceAccountRow& account, const Object& body) {
  governance::KeySpec spec;
  spec.organization = exchange.principal.organization;
  spec.project = account.project;
  const auto* name = body.if_contains("name");
  spec.name = name != nullptr && name->is_string() ? std::string(name->get_string()) : account.name;
  spec.service_account = account.id;
  spec.expires_unix_s = read_lifetime(exchange, body);
  ASSIGN_OR_RETURN(spec.scopes, read_scopes(body, Role::project));
  ASSIGN_OR_RETURN(const auto made, make_key(exchange, spec));
  return Object{{"object", kAccountKey},
                {"id", made.row.id},
                {"name", made.row.name},
                {"value", made.text},
                {"created_at", made.row.created_unix_s},
                {"expires_at", time_or_null(made.row.expires_unix_s)}};
}

// Nobody makes an account that may more than they do, nor takes one such over.
absl::Status check_role(const Exchange& exchange, const std::string& project,
                        const std::string& role) {
  if (role == kNoRole) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto id, governance::project_role_of(role));
  const auto given = governance::built_in_role(id)->permissions & governance::project_permissions();
  return exchange.principal.check_may_give(given, project);
}

// An account's keys end with it.
absl::Status revoke_keys(const Exchange& exchange, const store::ServiceAccountRow& account) {
  auto& keys = exchange.services().governance.keys();
  store::PageRequest page{"", 100};
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const auto found, keys.list(Role::project, account.project, page));
    more = found.has_more;
    // The cursor is looked up while its key is still in the list.
    std::set<std::string> doomed;
    for (const auto& row : found.rows) {
      page.after = row.id;
      if (row.service_account == account.id) doomed.insert(row.id);
    }
    for (const auto& id : doomed) RETURN_IF_ERROR(keys.revoke(id));
  }
  return absl::OkStatus();
}

}  // namespace

const Schema& service_account_key_schema() {
  static const Schema schema = account_key_schema();
  return schema;
}

const Schema& service_account_schema() {
  static const Schema schema =
      object("ServiceAccount",
             {required("object", one_string_of({kAccount}, "")), required("id", string("")),
              required("name", string("")),
              required("role", one_string_of({"owner", "member", kNoRole}, "")),
              required("created_at", integer(0, INT64_MAX, "")),
              optional("api_key", account_key_schema().or_null())},
             "");
  return schema;
}

const Schema& service_account_list_schema() {
  static const Schema schema = list_schema("ServiceAccountList", service_account_schema());
  return schema;
}

const Schema& service_account_deletion_schema() {
  static const Schema schema =
      deletion_schema("ServiceAccountDeletion", "organization.project.service_account.deleted");
  return schema;
}

const Schema& service_account_request_schema() {
  static const Schema schema = object(
      "ServiceAccountRequest",
      {required("name", string("What it is for.").length(1, 256)),
       optional("create_service_account_only", boolean("Without a role and a key.").or_else(false)),
       lifetime_field()},
      "");
  return schema;
}

const Schema& service_account_change_schema() {
  static const Schema schema =
      object("ServiceAccountChange",
             {optional("name", string("What it is for.").length(1, 256)),
              optional("role", one_string_of({"owner", "member"}, "What it is in the project."))},
             "");
  return schema;
}

const Schema& service_account_key_request_schema() {
  static const Schema schema =
      object("ServiceAccountKeyRequest",
             {optional("name", string("").length(1, 256)), lifetime_field(), scopes_field()}, "");
  return schema;
}

void list_service_accounts(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, plain_page_query()));
    ASSIGN_OR_RETURN(const auto page, tenants(*exchange).service_accounts(
                                          project.id, page_of(plain_page_query(), query)));
    return list_object(page, account_object);
  }());
}

void create_service_account(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_open_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, service_account_request_schema()));
    const bool bare =
        Values(service_account_request_schema(), body).boolean("create_service_account_only");
    const std::string role(bare ? kNoRole : "member");
    RETURN_IF_ERROR(check_role(*exchange, project.id, role));
    const auto& clock = exchange->services().clock;
    const store::ServiceAccountRow row{next_id(clock, "svc_acct_"), project.id,
                                       std::string(body.at("name").get_string()), role,
                                       clock.unix_seconds()};
    RETURN_IF_ERROR(tenants(*exchange).insert_service_account(row));
    exchange->audit = {row.id, {{"data", Object{{"name", row.name}, {"role", row.role}}}}};
    auto out = account_object(row);
    if (bare) {
      out["api_key"] = nullptr;
    } else {
      ASSIGN_OR_RETURN(out["api_key"], account_key(*exchange, row, body));
      const auto& key_id = out["api_key"].at("id").as_string();
      exchange->audit.resources.emplace_back(key_id);
      exchange->audit.details["data"].as_object()["api_key_id"] = key_id;
    }
    return out;
  }());
}

void create_service_account_key(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    RETURN_IF_ERROR(find_open_project(*exchange, exchange->parameter(0)).status());
    ASSIGN_OR_RETURN(const auto row, find_account(*exchange));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, service_account_key_request_schema()));
    return account_key(*exchange, row, body);
  }());
}

void modify_service_account(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(auto row, find_account(*exchange));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, service_account_change_schema()));
    const Values values(service_account_change_schema(), body);
    if (values.given("role") != nullptr) {
      RETURN_IF_ERROR(check_role(*exchange, row.project, row.role));
      row.role = std::string(values.string("role"));
      RETURN_IF_ERROR(check_role(*exchange, row.project, row.role));
    }
    if (values.given("name") != nullptr) row.name = std::string(values.string("name"));
    RETURN_IF_ERROR(tenants(*exchange).update_service_account(row));
    exchange->services().governance.keys().forget();
    return account_object(row);
  }());
}

void retrieve_service_account(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_account(*exchange));
    return account_object(row);
  }());
}

void delete_service_account(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_account(*exchange));
    RETURN_IF_ERROR(revoke_keys(*exchange, row));
    RETURN_IF_ERROR(tenants(*exchange).remove_service_account(row.id));
    return deletion_object("organization.project.service_account.deleted", row.id);
  }());
}

}  // namespace plinth::api
