#include "store/backup_manifest.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/json.h"
#include "store/limits.h"
#include "store/sha256.h"

namespace plinth::store {

namespace {

using base::json::object;

constexpr std::int64_t kFormat = 1;

base::json::array array_of(const std::vector<BackupFile>& files) {
  base::json::array all;
  for (const auto& file : files) {
    all.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return all;
}

absl::Status wrong(std::string_view field, std::string_view what) {
  return base::invalid_argument(fmt::format("[backup] manifest: {}: {}", field, what));
}

absl::StatusOr<std::string> text_of(const object& from, std::string_view field) {
  const auto* value = from.if_contains(base::json::string_view(field.data(), field.size()));
  if (value == nullptr || !value->is_string()) return wrong(field, "expected a text");
  return std::string(value->get_string());
}

absl::StatusOr<std::int64_t> count_of(const object& from, std::string_view field) {
  const auto* value = from.if_contains(base::json::string_view(field.data(), field.size()));
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0)
    return wrong(field, "expected a number, not below 0");
  return value->get_int64();
}

absl::StatusOr<const base::json::array*> list_of(const object& from, std::string_view field) {
  const auto* value = from.if_contains(base::json::string_view(field.data(), field.size()));
  if (value == nullptr || !value->is_array()) return wrong(field, "expected a list");
  if (value->get_array().size() > kBackupEntriesMax)
    return wrong(field, fmt::format("more than {} entries", kBackupEntriesMax));
  return &value->get_array();
}

// A name of a file in a folder that cannot lead out of it.
bool is_plain_name(const std::string& name) {
  return !name.empty() && !name.starts_with(".") && name.size() <= 255 &&
         name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

absl::StatusOr<std::vector<BackupFile>> files_of(const object& from, bool paths) {
  ASSIGN_OR_RETURN(const auto* list, list_of(from, "files"));
  std::vector<BackupFile> files;
  for (const auto& value : *list) {
    if (!value.is_object()) return wrong("files", "expected objects");
    const auto& entry = value.get_object();
    BackupFile file;
    ASSIGN_OR_RETURN(file.name, text_of(entry, "name"));
    ASSIGN_OR_RETURN(file.bytes, count_of(entry, "bytes"));
    ASSIGN_OR_RETURN(file.sha256, text_of(entry, "sha256"));
    if (!paths && !is_plain_name(file.name)) return wrong(file.name, "is no name of a file");
    if (!is_sha256_hex(file.sha256)) return wrong(file.name, "sha256 is none");
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

std::string to_json(const BackupManifest& manifest) {
  base::json::array models;
  for (const auto& model : manifest.models)
    models.push_back({{"name", model.name}, {"files", array_of(model.files)}});
  object document{{"format", kFormat},
                  {"content", manifest.content},
                  {"plinth", manifest.plinth},
                  {"created_at", manifest.created_s},
                  {"files", array_of(manifest.files)},
                  {"models", std::move(models)}};
  if (manifest.content == "data") {
    document["database"] = manifest.database.dialect == Dialect::sqlite ? "sqlite" : "postgresql";
    document["schema_version"] = manifest.database.schema_version;
  }
  return base::to_json(document) + "\n";
}

absl::StatusOr<BackupManifest> parse_backup_manifest(std::string_view json) {
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(json));
  if (!parsed.is_object()) return wrong("document", "expected an object");
  const auto& document = parsed.get_object();
  ASSIGN_OR_RETURN(const auto format, count_of(document, "format"));
  if (format != kFormat) {
    return base::failed_precondition(fmt::format(
        "[backup] format {} is not this program's {}; upgrade Plinth", format, kFormat));
  }
  BackupManifest manifest;
  ASSIGN_OR_RETURN(manifest.content, text_of(document, "content"));
  if (manifest.content != "data" && manifest.content != "secrets")
    return wrong("content", "expected data or secrets");
  ASSIGN_OR_RETURN(manifest.plinth, text_of(document, "plinth"));
  ASSIGN_OR_RETURN(manifest.created_s, count_of(document, "created_at"));
  ASSIGN_OR_RETURN(manifest.files, files_of(document, false));
  if (manifest.content == "data") {
    ASSIGN_OR_RETURN(const auto database, text_of(document, "database"));
    if (database != "sqlite" && database != "postgresql")
      return wrong("database", "expected sqlite or postgresql");
    manifest.database.dialect = database == "sqlite" ? Dialect::sqlite : Dialect::postgresql;
    ASSIGN_OR_RETURN(manifest.database.schema_version, count_of(document, "schema_version"));
  }
  ASSIGN_OR_RETURN(const auto* models, list_of(document, "models"));
  for (const auto& value : *models) {
    if (!value.is_object()) return wrong("models", "expected objects");
    BackupModel model;
    ASSIGN_OR_RETURN(model.name, text_of(value.get_object(), "name"));
    ASSIGN_OR_RETURN(model.files, files_of(value.get_object(), true));
    manifest.models.push_back(std::move(model));
  }
  return manifest;
}

absl::StatusOr<BackupFile> describe_file(const std::string& folder, const std::string& name) {
  const auto path = folder + "/" + name;
  ASSIGN_OR_RETURN(auto digest, sha256_file(path));
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) return base::unavailable(path + ": " + error.message());
  return BackupFile{name, bytes, std::move(digest)};
}

absl::Status verify_files(const std::string& folder, const std::vector<BackupFile>& files) {
  for (const auto& file : files) {
    const auto found = describe_file(folder, file.name);
    if (absl::IsNotFound(found.status())) {
      return base::data_loss(fmt::format("[backup] {}/{} is missing", folder, file.name));
    }
    RETURN_IF_ERROR(found.status());
    if (found->bytes != file.bytes) {
      return base::data_loss(fmt::format("[backup] {}/{} has {} bytes, not {}", folder, file.name,
                                         found->bytes, file.bytes));
    }
    if (found->sha256 != file.sha256) {
      return base::data_loss(fmt::format("[backup] {}/{} was changed: its sha256 is {}, not {}",
                                         folder, file.name, found->sha256, file.sha256));
    }
  }
  return absl::OkStatus();
}

}  // namespace plinth::store
