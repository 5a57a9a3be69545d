// /v1/files: upload, list, see, read and delete the files of a project.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void create_file(const ExchangePtr& exchange);
void list_files(const ExchangePtr& exchange);
void retrieve_file(const ExchangePtr& exchange);
// Sends the body in pieces, as fast as the client takes them.
void retrieve_file_content(const ExchangePtr& exchange);
// Within the transaction of its record; the body goes once that is durable. find_file() runs
// before it.
void delete_file(const ExchangePtr& exchange);
absl::Status find_file(Exchange& exchange);

}  // namespace plinth::api
