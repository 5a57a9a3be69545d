// The keys of a project and of the organization's administrators. A key's text is in the answer
// that makes it, and nowhere else.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

// /v1/organization/projects/{project}/api_keys
void list_project_keys(const ExchangePtr& exchange);
void create_project_key(const ExchangePtr& exchange);
void retrieve_project_key(const ExchangePtr& exchange);
void modify_project_key(const ExchangePtr& exchange);
void rotate_project_key(const ExchangePtr& exchange);
void delete_project_key(const ExchangePtr& exchange);

// /v1/organization/admin_api_keys
void list_admin_keys(const ExchangePtr& exchange);
void create_admin_key(const ExchangePtr& exchange);
void retrieve_admin_key(const ExchangePtr& exchange);
void delete_admin_key(const ExchangePtr& exchange);

// /v1/organization/projects/{project}/service_accounts
void list_service_accounts(const ExchangePtr& exchange);
void create_service_account(const ExchangePtr& exchange);
void retrieve_service_account(const ExchangePtr& exchange);
void modify_service_account(const ExchangePtr& exchange);
void create_service_account_key(const ExchangePtr& exchange);
void delete_service_account(const ExchangePtr& exchange);

const Schema& project_key_schema();
const Schema& project_key_list_schema();
const Schema& project_key_request_schema();
const Schema& project_key_change_schema();
const Schema& key_rotation_schema();
const Schema& project_key_deletion_schema();
const Schema& admin_key_schema();
const Schema& admin_key_list_schema();
const Schema& admin_key_request_schema();
const Schema& admin_key_deletion_schema();
const Schema& service_account_schema();
const Schema& service_account_list_schema();
const Schema& service_account_request_schema();
const Schema& service_account_change_schema();
const Schema& service_account_key_schema();
const Schema& service_account_key_request_schema();
const Schema& service_account_deletion_schema();
const Schema& plain_page_query();

// A key for whom and what `spec` says, where the caller may give as much as it holds.
absl::StatusOr<governance::NewKey> make_key(const Exchange& exchange,
                                            const governance::KeySpec& spec);
// `scopes` of a body, for a key of a project or an administrator.
absl::StatusOr<std::optional<governance::PermissionSet>> read_scopes(const base::json::object& body,
                                                                     governance::Role role);
Field scopes_field();
Field lifetime_field();
// When a key ends that lives as long as `expires_in_seconds` of a body says.
std::optional<std::int64_t> read_lifetime(const Exchange& exchange, const base::json::object& body);

}  // namespace plinth::api
