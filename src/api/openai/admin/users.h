// /v1/organization/users: who belongs to the organization.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_users(const ExchangePtr& exchange);
void retrieve_user(const ExchangePtr& exchange);
void modify_user(const ExchangePtr& exchange);
// Their keys and sessions end with them.
void delete_user(const ExchangePtr& exchange);

const Schema& user_schema();
const Schema& user_list_schema();
const Schema& user_list_query();
const Schema& user_change_schema();
const Schema& user_deletion_schema();

// As answers show somebody, with OpenAI's word for their role in the organization.
absl::StatusOr<base::json::object> user_object(const Exchange& exchange,
                                               const store::PersonRow& row);
// NotFound where there is none in the caller's organization.
absl::StatusOr<store::PersonRow> find_user(const Exchange& exchange, const std::string& id);

// What people and groups are called: no control characters. `field` is named where it is wrong.
absl::StatusOr<std::string> read_name(const base::json::object& body, std::string_view field);
base::json::value text_or_null(const std::optional<std::string>& text);

}  // namespace plinth::api
