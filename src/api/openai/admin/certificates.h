// /v1/organization/certificates and /v1/organization/projects/{project}/certificates: the
// authorities whose clients' certificates an organization and its projects take.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_certificates(const ExchangePtr& exchange);
void upload_certificate(const ExchangePtr& exchange);
void retrieve_certificate(const ExchangePtr& exchange);
void modify_certificate(const ExchangePtr& exchange);
void delete_certificate(const ExchangePtr& exchange);
void activate_certificates(const ExchangePtr& exchange);
void deactivate_certificates(const ExchangePtr& exchange);
void list_project_certificates(const ExchangePtr& exchange);
void activate_project_certificates(const ExchangePtr& exchange);
void deactivate_project_certificates(const ExchangePtr& exchange);

const Schema& certificate_schema();
const Schema& certificate_list_schema();
const Schema& certificate_request_schema();
const Schema& certificate_change_schema();
const Schema& certificate_deletion_schema();
const Schema& certificate_activation_schema();
const Schema& certificate_activation_request_schema();
const Schema& certificate_query();
const Schema& certificate_list_query();

}  // namespace plinth::api
