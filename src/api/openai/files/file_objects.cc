#include "api/openai/files/file_objects.h"

#include "api/limits.h"
#include "api/openai/admin/listing.h"
#include "api/schema/values.h"
#include "governance/file_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

std::vector<std::string> texts(std::span<const std::string_view> views) {
  return {views.begin(), views.end()};
}

Schema purpose_schema() {
  return one_string_of(texts(governance::upload_purposes()), "What it is for.");
}

Schema expiry_schema() {
  return object("",
                {required("anchor", one_string_of({"created_at"}, "")),
                 required("seconds", integer(governance::kFileSecondsMin,
                                             governance::kFileSecondsMax, "From then on."))},
                "When it is deleted. Without it files of batches go after 30 days, others stay.");
}

}  // namespace

Object file_object(const store::FileRow& row) {
  return {{"id", row.id},
          {"object", "file"},
          {"bytes", row.bytes},
          {"created_at", row.created_s},
          {"expires_at", time_or_null(row.expires_s)},
          {"filename", row.filename},
          {"purpose", row.purpose},
          {"status", row.status},
          {"status_details", nullptr}};
}

Object upload_object(const store::UploadRow& row, std::int64_t now_s, const store::FileRow* file) {
  base::json::value made;
  if (file != nullptr) made = file_object(*file);
  return {{"id", row.id},
          {"object", "upload"},
          {"bytes", row.bytes},
          {"created_at", row.created_s},
          {"expires_at", row.expires_s},
          {"filename", row.filename},
          {"purpose", row.purpose},
          {"status", governance::upload_status(row, now_s)},
          {"file", std::move(made)}};
}

Object part_object(const store::UploadPartRow& row) {
  return {{"id", row.id},
          {"object", "upload.part"},
          {"created_at", row.created_s},
          {"upload_id", row.upload}};
}

std::optional<std::int64_t> expires_after_s(const Object& document) {
  const auto* after = document.if_contains("expires_after");
  if (after == nullptr || !after->is_object()) return std::nullopt;
  return to_integer(after->get_object().at("seconds"));
}

const Schema& file_schema() {
  static const Schema schema =
      object("File",
             {required("id", string("")), required("object", one_string_of({"file"}, "")),
              required("bytes", integer(0, INT64_MAX, "")),
              required("created_at", integer(0, INT64_MAX, "Seconds since 1970.")),
              required("expires_at", integer(0, INT64_MAX, "When it is deleted.").or_null()),
              required("filename", string("")),
              required("purpose", one_string_of(texts(governance::file_purposes()), "")),
              required("status", one_string_of({"processed"}, "")),
              required("status_details", string("").or_null())},
             "A file of a project.");
  return schema;
}

const Schema& file_list_schema() {
  static const Schema schema = list_schema("FileList", file_schema());
  return schema;
}

const Schema& file_list_query() {
  static const Schema schema = object(
      "",
      {optional("purpose", one_string_of(texts(governance::file_purposes()), "Only these.")),
       optional("limit", integer(1, kFilesPageMax, "Entries of one page.").or_else(kFilesPageMax)),
       optional("order", one_string_of({"asc", "desc"}, "Oldest or newest first.").or_else("desc")),
       optional("after",
                string("The id of the last entry of the page before.").length(0, 512).or_else(""))},
      "");
  return schema;
}

const Schema& file_deletion_schema() {
  static const Schema schema = deletion_schema("FileDeletion", "file");
  return schema;
}

const Schema& file_form_schema() {
  static const Schema schema =
      object("CreateFile",
             {required("file", string("The file itself, of 512 MB at most.")),
              required("purpose", purpose_schema()), optional("expires_after", expiry_schema())},
             "");
  return schema;
}

const Schema& upload_schema() {
  static const Schema schema = object(
      "Upload",
      {required("id", string("")), required("object", one_string_of({"upload"}, "")),
       required("bytes", integer(0, INT64_MAX, "Of the whole file.")),
       required("created_at", integer(0, INT64_MAX, "Seconds since 1970.")),
       required("expires_at", integer(0, INT64_MAX, "When it takes no parts any more.")),
       required("filename", string("")),
       required("purpose", one_string_of(texts(governance::upload_purposes()), "")),
       required("status", one_string_of({"pending", "completed", "cancelled", "expired"}, "")),
       required("file", file_schema().or_null())},
      "A file that arrives in parts.");
  return schema;
}

const Schema& upload_request_schema() {
  static const Schema schema =
      object("CreateUpload",
             {required("purpose", purpose_schema()),
              required("filename", string("").length(1, governance::kFilenameBytesMax)),
              required("bytes", integer(1, governance::kUploadBytesMax, "Of the whole file.")),
              required("mime_type",
                       string("Kept, of no effect.").length(0, governance::kMimeTypeBytesMax)),
              optional("expires_after", expiry_schema())},
             "");
  return schema;
}

const Schema& upload_completion_schema() {
  static const Schema schema =
      object("CompleteUpload",
             {required("part_ids", array(string("").length(1, 128), 1,
                                         static_cast<std::size_t>(governance::kUploadPartsMax),
                                         "The parts in the order of the file.")),
              optional("md5", string("Of the whole file, hexadecimal.").length(32, 32))},
             "");
  return schema;
}

const Schema& part_schema() {
  static const Schema schema =
      object("UploadPart",
             {required("id", string("")), required("object", one_string_of({"upload.part"}, "")),
              required("created_at", integer(0, INT64_MAX, "Seconds since 1970.")),
              required("upload_id", string(""))},
             "");
  return schema;
}

const Schema& part_form_schema() {
  static const Schema schema =
      object("AddUploadPart", {required("data", string("The bytes, 64 MB at most."))}, "");
  return schema;
}

}  // namespace plinth::api
