#include "api/openai/files/uploads.h"

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/openai/files/file_errors.h"
#include "api/openai/files/file_objects.h"
#include "api/openai/files/form_upload.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

governance::Uploads& uploads(const Exchange& exchange) {
  return exchange.services().governance.uploads();
}

governance::UploadKey key_of(const Exchange& exchange) {
  return {exchange.principal.organization, exchange.principal.project, exchange.parameter(0)};
}

absl::StatusOr<Object> create(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, upload_request_schema()));
  const Values values(upload_request_schema(), body);
  governance::UploadSpec spec;
  spec.organization = exchange.principal.organization;
  spec.project = exchange.principal.project;
  spec.file = {std::string(values.string("purpose")), std::string(values.string("filename")),
               expires_after_s(body)};
  spec.mime_type = std::string(values.string("mime_type"));
  spec.bytes = values.integer("bytes");
  const auto row = uploads(exchange).create(spec);
  if (!row.ok()) return file_error(row.status(), "filename");
  return upload_object(*row, row->created_s, nullptr);
}

absl::StatusOr<Object> complete(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, upload_completion_schema()));
  std::vector<std::string> ids;
  for (const auto& id : body.at("part_ids").get_array()) ids.emplace_back(id.get_string());
  const auto* md5 = body.if_contains("md5");
  const bool has_md5 = md5 != nullptr && md5->is_string();
  const auto done = uploads(exchange).complete(key_of(exchange), ids,
                                               has_md5 ? std::string(md5->get_string()) : "");
  if (!done.ok())
    return file_error(done.status(), absl::IsNotFound(done.status()) ? "upload_id" : "part_ids");
  return upload_object(done->upload, exchange.services().clock.unix_seconds(), &done->file);
}

absl::StatusOr<Object> cancel(const Exchange& exchange) {
  const auto row = uploads(exchange).cancel(key_of(exchange));
  if (!row.ok()) return file_error(row.status(), "upload_id");
  return upload_object(*row, exchange.services().clock.unix_seconds(), nullptr);
}

void finish_part(const ExchangePtr& exchange, UploadedForm form) {
  const auto row = uploads(*exchange).commit_part(std::move(form.body), key_of(*exchange));
  if (!row.ok())
    return exchange->refuse(
        file_error(row.status(), absl::IsNotFound(row.status()) ? "upload_id" : "data"));
  exchange->send_json(part_object(*row));
}

absl::StatusOr<governance::BodyWriter> begin_part(const Exchange& exchange) {
  auto writer = uploads(exchange).begin_part(key_of(exchange));
  if (absl::IsNotFound(writer.status())) return file_error(writer.status(), "upload_id");
  return writer;
}

}  // namespace

void create_upload(const ExchangePtr& exchange) {
  run_on_files(exchange, [exchange] { answer(exchange, create(*exchange)); });
}

void add_upload_part(const ExchangePtr& exchange) {
  read_form(exchange, {"data", part_form_schema, [exchange] { return begin_part(*exchange); },
                       [exchange](UploadedForm form) { finish_part(exchange, std::move(form)); }});
}

void complete_upload(const ExchangePtr& exchange) {
  // It writes the whole file: others are not to wait for it.
  run_on_files(
      exchange, [exchange] { answer(exchange, complete(*exchange)); }, WorkQueue::Lane::doubtful);
}

void cancel_upload(const ExchangePtr& exchange) {
  run_on_files(exchange, [exchange] { answer(exchange, cancel(*exchange)); });
}

}  // namespace plinth::api
