#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "apps/home_backup.h"
#include "apps/home_database.h"
#include "apps/home_lock.h"
#include "apps/settings_flags.h"
#include "base/file.h"
#include "governance/vault.h"
#include "store/integrity.h"
#include "store/limits.h"
#include "store/migrations.h"

namespace plinth {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSmallFileMax = 16u << 20;
constexpr char kSettings[] = "plinth.toml";

// Of a folder whose files are all as its manifest says.
absl::StatusOr<store::BackupManifest> read_whole(const std::string& folder,
                                                 std::string_view content) {
  const auto text = base::read_file(folder + "/manifest.json", store::kBackupManifestBytesMax);
  if (absl::IsNotFound(text.status()))
    return base::not_found(folder + " is no backup: it has no manifest.json");
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(auto manifest, store::parse_backup_manifest(*text));
  if (manifest.content != content) {
    return base::failed_precondition(
        fmt::format("{} is a backup of {}, not of {}", folder, manifest.content, content));
  }
  RETURN_IF_ERROR(store::verify_files(folder, manifest.files));
  return manifest;
}

absl::Status refuse_present(const std::string& path) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return absl::OkStatus();
  return base::failed_precondition(path + " is there already: nothing is overwritten");
}

// Exclusive: a file that came in between stays as it is.
absl::Status copy_small_file(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(const auto content, base::read_file(from, kSmallFileMax));
  const auto arriving = to + ".restored";
  RETURN_IF_ERROR(base::write_file_atomic(arriving, content, 0600));
  const int linked = ::link(arriving.c_str(), to.c_str());
  const int error = errno;
  ::unlink(arriving.c_str());
  if (linked != 0) return base::errno_status(error, to);
  return base::sync_folder(fs::path(to).parent_path());
}

bool has_file(const store::BackupManifest& manifest, std::string_view name) {
  return std::any_of(manifest.files.begin(), manifest.files.end(),
                     [&](const auto& file) { return file.name == name; });
}

absl::StatusOr<std::string> target_of(const std::string& home, const RestoreOptions& options) {
  if (!options.database.empty()) return options.database;
  ASSIGN_OR_RETURN(const auto settings, load_settings(home, nullptr));
  return database_of(home, settings);
}

absl::Status restore_secrets(const std::string& home, const std::string& folder,
                             const store::BackupManifest& manifest) {
  RETURN_IF_ERROR(base::make_folders(home + "/secrets", 0700));
  for (const auto& file : manifest.files)
    RETURN_IF_ERROR(copy_small_file(folder + "/" + file.name, home + "/secrets/" + file.name));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<store::BackupManifest> restore_home(const std::string& home,
                                                   const RestoreOptions& options) {
  ASSIGN_OR_RETURN(const auto manifest, read_whole(options.backup, "data"));
  if (manifest.database.schema_version > store::newest_schema_version()) {
    return base::failed_precondition(fmt::format(
        "the backup of Plinth {} has schema version {}, newer than this program's {}; upgrade"
        " Plinth",
        manifest.plinth, manifest.database.schema_version, store::newest_schema_version()));
  }
  store::BackupManifest secrets;
  if (!options.secrets.empty()) {
    ASSIGN_OR_RETURN(secrets, read_whole(options.secrets, "secrets"));
  }
  ASSIGN_OR_RETURN(const auto lock, lock_home(home));
  for (const auto* name : {"/plinth.db", "/plinth.db-wal", "/plinth.toml"})
    RETURN_IF_ERROR(refuse_present(home + name));
  for (const auto& file : secrets.files)
    RETURN_IF_ERROR(refuse_present(home + "/secrets/" + file.name));

  const bool settings = has_file(manifest, kSettings);
  if (settings)
    RETURN_IF_ERROR(copy_small_file(options.backup + "/" + kSettings, home + "/" + kSettings));
  const auto database =
      manifest.database.dialect == store::Dialect::sqlite ? "database.sqlite" : "database.pgdump";
  auto status = [&]() -> absl::Status {
    if (!has_file(manifest, database))
      return base::data_loss(fmt::format("{} names no {}", options.backup, database));
    ASSIGN_OR_RETURN(const auto where, target_of(home, options));
    if (manifest.database.dialect == store::Dialect::postgresql && !store::names_postgresql(where))
      return base::failed_precondition("the backup is of PostgreSQL: give an empty --database");
    auto restored =
        store::restore_database(manifest.database, options.backup + "/" + database, where);
    if (!restored.ok() || options.keys.empty()) return restored;
    ASSIGN_OR_RETURN(const auto opened, store::Database::open(where));
    return governance::import_data_keys(*opened, options.keys).status();
  }();
  if (!status.ok()) {
    // So that the next try finds the home as this one did.
    if (settings) ::unlink((home + "/" + kSettings).c_str());
    return status;
  }
  if (!options.secrets.empty()) RETURN_IF_ERROR(restore_secrets(home, options.secrets, secrets));
  return manifest;
}

}  // namespace plinth
