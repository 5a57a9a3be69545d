// /v1/uploads: files that arrive in parts.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void create_upload(const ExchangePtr& exchange);
void add_upload_part(const ExchangePtr& exchange);
void complete_upload(const ExchangePtr& exchange);
void cancel_upload(const ExchangePtr& exchange);

}  // namespace plinth::api
