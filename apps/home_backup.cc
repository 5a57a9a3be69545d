#include "apps/home_backup.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "apps/backup_models.h"
#include "apps/home_content.h"
#include "apps/home_database.h"
#include "apps/settings_flags.h"
#include "base/file.h"
#include "cluster/model_library.h"
#include "governance/vault.h"

namespace plinth {

namespace {

namespace fs = std::filesystem;

// Of a file that is copied as a whole: settings and keys are small.
constexpr std::size_t kSmallFileMax = 16u << 20;
constexpr char kSettings[] = "plinth.toml";
constexpr char kManifest[] = "manifest.json";

// Fills a folder of another name first: what has the name is whole.
absl::Status make_whole(const std::string& folder,
                        const std::function<absl::Status(const std::string&)>& fill) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(folder, error)))
    return base::failed_precondition(folder + " is there already: nothing is overwritten");
  auto path = folder;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const auto arriving = path + ".partial";
  fs::remove_all(arriving, error);
  RETURN_IF_ERROR(base::make_folders(arriving, 0700));
  auto status = fill(arriving);
  if (status.ok()) status = base::sync_folder(arriving);
  if (status.ok() && ::rename(arriving.c_str(), path.c_str()) != 0)
    status = base::errno_status(errno, path);
  if (!status.ok()) {
    fs::remove_all(arriving, error);
    return status;
  }
  const auto parent = fs::path(path).parent_path().string();
  return base::sync_folder(parent.empty() ? "." : parent);
}

absl::Status add_small_file(const std::string& from, const std::string& folder,
                            const std::string& name, store::BackupManifest& manifest) {
  ASSIGN_OR_RETURN(const auto content, base::read_file(from, kSmallFileMax));
  RETURN_IF_ERROR(base::write_file_atomic(folder + "/" + name, content, 0600));
  ASSIGN_OR_RETURN(manifest.files.emplace_back(), store::describe_file(folder, name));
  return absl::OkStatus();
}

absl::Status write_manifest(const std::string& folder, const store::BackupManifest& manifest) {
  return base::write_file_atomic(folder + "/" + kManifest, store::to_json(manifest), 0600);
}

absl::Status add_models(const std::string& home, const std::string& folder,
                        store::BackupManifest& manifest) {
  std::error_code error;
  // Opening the library would make its folders.
  if (!fs::is_directory(home + "/models", error)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  for (const auto& model : library.list()) {
    if (model.sealed() != nullptr) continue;
    store::BackupModel entry{model.name, {}};
    for (const auto& file : model.files)
      entry.files.push_back({file.path, file.bytes, file.sha256});
    manifest.models.push_back(std::move(entry));
  }
  ASSIGN_OR_RETURN(const auto tuned, list_tuned_models(library));
  if (tuned.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(base::write_file_atomic(folder + "/" + kTunedModelsList, tuned, 0600));
  ASSIGN_OR_RETURN(manifest.files.emplace_back(), store::describe_file(folder, kTunedModelsList));
  return absl::OkStatus();
}

store::BackupManifest new_manifest(const std::string& content, std::int64_t created_s) {
  store::BackupManifest manifest;
  manifest.content = content;
  manifest.plinth = PLINTH_VERSION;
  manifest.created_s = created_s;
  return manifest;
}

}  // namespace

absl::StatusOr<store::BackupManifest> make_backup(const std::string& home,
                                                  const BackupOptions& options) {
  ASSIGN_OR_RETURN(const auto settings, load_settings(home, nullptr));
  const auto where = database_of(home, settings);
  auto manifest = new_manifest("data", options.created_s);
  const auto fill = [&](const std::string& arriving) -> absl::Status {
    const std::string name = store::names_postgresql(where) ? "database.pgdump" : "database.sqlite";
    const auto path = arriving + "/" + name;
    const auto copy = [&]() -> absl::StatusOr<std::vector<store::CopiedContent>> {
      ::unlink(path.c_str());  // of a try before
      std::vector<store::CopiedContent> content;
      auto copied = store::copy_database(where, path, &content);
      if (!copied.ok()) return copied.status();
      manifest.database = *copied;
      return content;
    };
    if (options.content) {
      RETURN_IF_ERROR(copy_content(content_folder_of(home, settings), arriving, copy));
      ASSIGN_OR_RETURN(manifest.files.emplace_back(), store::describe_file(arriving, kContentList));
    } else {
      RETURN_IF_ERROR(copy().status());
    }
    ::chmod(path.c_str(), 0600);
    ASSIGN_OR_RETURN(manifest.files.emplace_back(), store::describe_file(arriving, name));
    std::error_code error;
    const auto toml = home + "/" + kSettings;
    if (fs::exists(toml, error))
      RETURN_IF_ERROR(add_small_file(toml, arriving, kSettings, manifest));
    RETURN_IF_ERROR(add_models(home, arriving, manifest));
    return write_manifest(arriving, manifest);
  };
  RETURN_IF_ERROR(make_whole(options.folder, fill));
  return manifest;
}

absl::Status make_key_backup(const std::string& home, const std::string& file) {
  ASSIGN_OR_RETURN(const auto settings, load_settings(home, nullptr));
  ASSIGN_OR_RETURN(const auto database, store::Database::open_present(database_of(home, settings)));
  return governance::export_data_keys(*database, file);
}

absl::StatusOr<store::BackupManifest> make_secrets_backup(const std::string& home,
                                                          const std::string& folder,
                                                          std::int64_t created_s) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home + "/secrets", error)) {
    if (entry.is_regular_file(error)) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) return base::failed_precondition(home + "/secrets holds no files");
  auto manifest = new_manifest("secrets", created_s);
  const auto fill = [&](const std::string& arriving) -> absl::Status {
    for (const auto& name : names)
      RETURN_IF_ERROR(add_small_file(home + "/secrets/" + name, arriving, name, manifest));
    return write_manifest(arriving, manifest);
  };
  RETURN_IF_ERROR(make_whole(folder, fill));
  return manifest;
}

}  // namespace plinth
