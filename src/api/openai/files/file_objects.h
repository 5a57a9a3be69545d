// How files and uploads look on the wire.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"
#include "governance/uploads.h"
#include "store/file_rows.h"
#include "store/upload_rows.h"

namespace plinth::api {

base::json::object file_object(const store::FileRow& row);
// `file` null: it has none.
base::json::object upload_object(const store::UploadRow& row, std::int64_t now_s,
                                 const store::FileRow* file);
base::json::object part_object(const store::UploadPartRow& row);

const Schema& file_schema();
const Schema& file_list_schema();
const Schema& file_list_query();
const Schema& file_deletion_schema();
const Schema& file_form_schema();
const Schema& upload_schema();
const Schema& upload_request_schema();
const Schema& upload_completion_schema();
const Schema& part_schema();
const Schema& part_form_schema();

// The seconds of expires_after, of a document that its declaration has passed.
std::optional<std::int64_t> expires_after_s(const base::json::object& document);

}  // namespace plinth::api
