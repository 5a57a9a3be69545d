// /v1/organization/groups: people who share roles.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_groups(const ExchangePtr& exchange);
void create_group(const ExchangePtr& exchange);
void retrieve_group(const ExchangePtr& exchange);
void modify_group(const ExchangePtr& exchange);
void delete_group(const ExchangePtr& exchange);

// .../groups/{group}/users
void list_group_users(const ExchangePtr& exchange);
void add_group_user(const ExchangePtr& exchange);
void retrieve_group_user(const ExchangePtr& exchange);
void remove_group_user(const ExchangePtr& exchange);

const Schema& group_schema();
const Schema& group_list_schema();
const Schema& group_request_schema();
const Schema& group_deletion_schema();
const Schema& group_user_schema();
const Schema& group_user_list_schema();
const Schema& group_user_request_schema();
const Schema& group_membership_schema();
const Schema& group_user_deletion_schema();
// limit, after and order.
const Schema& next_page_query_schema();

// NotFound where there is none in the caller's organization.
absl::StatusOr<store::GroupRow> find_group(const Exchange& exchange, const std::string& id);

}  // namespace plinth::api
