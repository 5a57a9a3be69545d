// Content policies (raiPolicies) and blocklists (raiBlocklists) of a project.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void list_content_policies(const ExchangePtr& exchange);
void put_content_policy(const ExchangePtr& exchange);
void retrieve_content_policy(const ExchangePtr& exchange);
// Refused where a deployment uses it.
void delete_content_policy(const ExchangePtr& exchange);

void list_blocklists(const ExchangePtr& exchange);
void put_blocklist(const ExchangePtr& exchange);
void retrieve_blocklist(const ExchangePtr& exchange);
void delete_blocklist(const ExchangePtr& exchange);

void list_blocklist_items(const ExchangePtr& exchange);
void put_blocklist_item(const ExchangePtr& exchange);
// [{name, properties}, ...] at once.
void add_blocklist_items(const ExchangePtr& exchange);
void delete_blocklist_item(const ExchangePtr& exchange);
// ["name", ...] at once.
void delete_blocklist_items(const ExchangePtr& exchange);

}  // namespace plinth::api
