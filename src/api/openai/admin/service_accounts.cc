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

const Schema& service_account_schema() {
  static const Schema schema =
      object("ServiceAccount",
             {required("object", one_string_of({kAccount}, "")), required("id", string("")),
              required("name", string("")), required("role", one_string_of({"member"}, "")),
              required("created_at", integer(0, INT64_MAX, "")),
              optional("api_key", object("ServiceAccountKey",
                                         {required("object", one_string_of({kAccountKey}, "")),
                                          required("id", string("")), required("name", string("")),
                                          required("value", string("The key itself, here alone.")),
                                          required("created_at", integer(0, INT64_MAX, ""))},
                                         ""))},
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
      "ServiceAccountRequest", {required("name", string("What it is for.").length(1, 256))}, "");
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
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    if (project.archived_s)
      return base::invalid_argument("The project " + project.id + " is archived.");
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, service_account_request_schema()));
    const auto& clock = exchange->services().clock;
    const store::ServiceAccountRow row{next_id(clock, "svc_acct_"), project.id,
                                       std::string(body.at("name").get_string()), "member",
                                       clock.unix_seconds()};
    RETURN_IF_ERROR(tenants(*exchange).insert_service_account(row));
    governance::KeySpec spec;
    spec.organization = project.organization;
    spec.project = project.id;
    spec.name = row.name;
    spec.service_account = row.id;
    ASSIGN_OR_RETURN(const auto made, exchange->services().governance.keys().create(spec));
    exchange->audit = {
        row.id,
        {{"data", Object{{"name", row.name}, {"role", row.role}, {"api_key_id", made.row.id}}}},
        {made.row.id}};
    auto out = account_object(row);
    out["api_key"] = Object{{"object", kAccountKey},
                            {"id", made.row.id},
                            {"name", made.row.name},
                            {"value", made.text},
                            {"created_at", made.row.created_unix_s}};
    return out;
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
