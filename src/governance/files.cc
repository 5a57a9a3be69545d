#include "governance/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "base/json.h"

namespace plinth::governance {

namespace {

using std::string_view;

constexpr std::array<string_view, 6> kUploadPurposes{"assistants", "batch",     "fine-tune",
                                                     "vision",     "user_data", "evals"};
constexpr std::array<string_view, 9> kPurposes{
    "assistants", "batch",        "fine-tune",         "vision",           "user_data",
    "evals",      "batch_output", "fine-tune-results", "assistants_output"};

bool is_purpose(string_view purpose) {
  return std::find(kPurposes.begin(), kPurposes.end(), purpose) != kPurposes.end();
}

std::optional<std::int64_t> expiry_of(const FileSpec& spec, std::int64_t created_s) {
  if (spec.expires_after_s) return created_s + *spec.expires_after_s;
  if (spec.purpose == "batch") return created_s + kBatchFileSeconds;
  return std::nullopt;
}

}  // namespace

std::span<const string_view> file_purposes() { return kPurposes; }
std::span<const string_view> upload_purposes() { return kUploadPurposes; }

absl::Status check_filename(string_view filename) {
  if (filename.empty()) return base::invalid_argument("A file needs a name.");
  if (filename.size() > kFilenameBytesMax) {
    return base::invalid_argument(
        fmt::format("A file's name has at most {} bytes.", kFilenameBytesMax));
  }
  const bool controls = std::any_of(filename.begin(), filename.end(),
                                    [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  const bool text = base::parse_json(base::to_json(base::json::string(filename))).ok();
  if (controls || !text)
    return base::invalid_argument("A file's name is UTF-8 text without control characters.");
  return absl::OkStatus();
}

absl::Status check_file_body(string_view purpose, std::int64_t bytes) {
  const bool lines = purpose == "batch" || purpose == "fine-tune";
  if (!lines || bytes > 0) return absl::OkStatus();
  return base::invalid_argument(fmt::format("A file of purpose {} may not be empty.", purpose));
}

absl::Status BodyWriter::write(string_view part) {
  const auto after = bytes() + static_cast<std::int64_t>(part.size());
  if (after > bytes_max_) {
    return base::invalid_argument(
        fmt::format("It is too large: at most {} bytes are allowed.", bytes_max_));
  }
  if (after > room_bytes_) {
    return base::resource_exhausted(
        "The project's storage is full: delete files, or raise files.project_bytes_max.");
  }
  return content_.write(part);
}

absl::Status Files::full() const {
  return base::resource_exhausted(fmt::format(
      "The project's storage is full: its files may have {} bytes together. Delete some, or raise"
      " files.project_bytes_max.",
      project_bytes_max_));
}

absl::StatusOr<std::string> Files::new_id(string_view prefix) const {
  ASSIGN_OR_RETURN(const auto bytes, random_(kFileIdBytes));
  return fmt::format("{}{}", prefix, absl::BytesToHexString(bytes));
}

absl::Status Files::check_room(const std::string& organization, const std::string& project) {
  ASSIGN_OR_RETURN(const auto bytes, content_.bytes_of(organization, project));
  return bytes > project_bytes_max_ ? full() : absl::OkStatus();
}

absl::StatusOr<BodyWriter> Files::begin_body(const ContentSpec& spec, std::int64_t bytes_max) {
  ASSIGN_OR_RETURN(const auto bytes, content_.bytes_of(spec.organization, spec.project));
  if (bytes >= project_bytes_max_) return full();
  ASSIGN_OR_RETURN(auto writer, content_.begin(spec));
  return BodyWriter(std::move(writer), bytes_max, project_bytes_max_ - bytes);
}

absl::StatusOr<BodyWriter> Files::begin(const std::string& organization,
                                        const std::string& project) {
  ASSIGN_OR_RETURN(const auto id, new_id("file-"));
  return begin_body({id, organization, project, "file"}, kFileBytesMax);
}

absl::StatusOr<BodyWriter> Files::begin_stored(const std::string& organization,
                                               const std::string& project) {
  ASSIGN_OR_RETURN(const auto id, new_id("file-"));
  ASSIGN_OR_RETURN(auto writer, content_.begin({id, organization, project, "file"}));
  return BodyWriter(std::move(writer), INT64_MAX, INT64_MAX);
}

absl::StatusOr<store::FileRow> Files::commit(BodyWriter writer, const std::string& organization,
                                             const std::string& project, const FileSpec& spec,
                                             const store::ContentRows::Also& also) {
  if (!is_purpose(spec.purpose))
    return base::invalid_argument(fmt::format("'{}' is no purpose of a file.", spec.purpose));
  RETURN_IF_ERROR(check_filename(spec.filename));
  RETURN_IF_ERROR(check_file_body(spec.purpose, writer.bytes()));
  store::FileRow row{writer.content().id(), organization,  project,
                     spec.purpose,          spec.filename, writer.bytes(),
                     clock_.unix_seconds(), std::nullopt};
  row.expires_s = expiry_of(spec, row.created_s);
  writer.content().set_expiry(row.expires_s);
  const auto all = [&]() -> absl::Status {
    RETURN_IF_ERROR(rows_.insert(row));
    if (also) RETURN_IF_ERROR(also());
    return check_room(organization, project);
  };
  RETURN_IF_ERROR(writer.content().commit(all).status());
  return row;
}

std::optional<std::int64_t> Files::alive_s(const std::string& organization,
                                           const std::string& project) const {
  if (retention_.effective(organization, project).legal_hold) return std::nullopt;
  return clock_.unix_seconds();
}

absl::StatusOr<store::FileRow> Files::find(const std::string& organization,
                                           const std::string& project, const std::string& id) {
  ASSIGN_OR_RETURN(auto row, rows_.find(project, id));
  const auto now_s = alive_s(organization, project);
  if (now_s && row.expires_s && *row.expires_s <= *now_s) return store::no_such_file(id);
  return row;
}

absl::StatusOr<store::Page<store::FileRow>> Files::list(const std::string& organization,
                                                        const std::string& project,
                                                        const std::string& purpose,
                                                        const store::PageRequest& page) {
  return rows_.list({project, purpose, alive_s(organization, project)}, page);
}

absl::Status Files::remove(const std::string& organization, const std::string& project,
                           const std::string& id) {
  RETURN_IF_ERROR(find(organization, project, id).status());
  return content_.remove_row(id);
}

}  // namespace plinth::governance
