#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "apps/backup_models.h"
#include "apps/home_backup.h"
#include "apps/home_content.h"
#include "apps/home_database.h"
#include "apps/home_lock.h"
#include "apps/settings_flags.h"
#include "base/clock.h"
#include "base/file.h"
#include "governance/governance.h"
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

std::string database_name(const store::BackupManifest& manifest) {
  return manifest.database.dialect == store::Dialect::sqlite ? "database.sqlite"
                                                             : "database.pgdump";
}

std::string target_of(const std::string& home, const base::Settings& settings,
                      const RestoreOptions& options) {
  return options.database.empty() ? database_of(home, settings) : options.database;
}

absl::Status restore_secrets(const std::string& home, const std::string& folder,
                             const store::BackupManifest& manifest) {
  RETURN_IF_ERROR(base::make_folders(home + "/secrets", 0700));
  for (const auto& file : manifest.files)
    RETURN_IF_ERROR(copy_small_file(folder + "/" + file.name, home + "/secrets/" + file.name));
  return absl::OkStatus();
}

// What the options name, read and checked before anything is written.
struct Backup {
  store::BackupManifest data, secrets;
  std::vector<store::CopiedContent> content;
  std::vector<BackedUpModel> tuned_models;
};

absl::StatusOr<Backup> read_backup(const RestoreOptions& options) {
  Backup backup;
  ASSIGN_OR_RETURN(backup.data, read_whole(options.backup, "data"));
  const auto& manifest = backup.data;
  if (manifest.database.schema_version > store::newest_schema_version()) {
    return base::failed_precondition(fmt::format(
        "the backup of Plinth {} has schema version {}, newer than this program's {}; upgrade"
        " Plinth",
        manifest.plinth, manifest.database.schema_version, store::newest_schema_version()));
  }
  if (!has_file(manifest, database_name(manifest)))
    return base::data_loss(fmt::format("{} names no {}", options.backup, database_name(manifest)));
  if (has_file(manifest, kContentList)) {
    ASSIGN_OR_RETURN(backup.content, verify_content(options.backup));
  }
  if (has_file(manifest, kTunedModelsList)) {
    ASSIGN_OR_RETURN(const auto list, base::read_file(options.backup + "/" + kTunedModelsList,
                                                      kTunedModelsBytesMax));
    ASSIGN_OR_RETURN(backup.tuned_models, parse_tuned_models(list));
  }
  if (!options.secrets.empty()) {
    ASSIGN_OR_RETURN(backup.secrets, read_whole(options.secrets, "secrets"));
  }
  std::error_code error;
  for (const auto& file : {options.keys, options.tombstones}) {
    if (!file.empty() && !fs::is_regular_file(file, error))
      return base::not_found(file + " is no file");
  }
  return backup;
}

absl::Status restore_data(const std::string& home, const RestoreOptions& options,
                          const Backup& backup) {
  const auto& database = backup.data.database;
  ASSIGN_OR_RETURN(const auto settings, load_settings(home, nullptr));
  const auto where = target_of(home, settings, options);
  if (database.dialect == store::Dialect::postgresql && !store::names_postgresql(where))
    return base::failed_precondition("the backup is of PostgreSQL: give an empty --database");
  // First: without its row a file is no content, and the next try finds it the same.
  const auto content = content_folder_of(home, settings);
  RETURN_IF_ERROR(refuse_other_content(backup.content, content));
  RETURN_IF_ERROR(restore_content(options.backup, backup.content, content));
  if (!backup.tuned_models.empty()) {
    ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
    RETURN_IF_ERROR(restore_tuned_models(library, backup.tuned_models));
  }
  RETURN_IF_ERROR(
      store::restore_database(database, options.backup + "/" + database_name(backup.data), where));
  if (options.keys.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto opened, store::Database::open(where));
  return governance::import_data_keys(*opened, options.keys).status();
}

// As a start of the service would, so that between this and that nothing shredded is readable.
absl::StatusOr<std::vector<std::string>> replay(const std::string& home,
                                                const RestoreOptions& options) {
  ASSIGN_OR_RETURN(const auto settings, load_settings(home, nullptr));
  ASSIGN_OR_RETURN(const auto database, store::Database::open(target_of(home, settings, options)));
  const base::RealClock clock;
  governance::AuditOptions audit;
  audit.copy_to = settings.text("audit.copy_to");
  audit.keeps_itself = false;
  ASSIGN_OR_RETURN(const auto governance,
                   governance::Governance::open(home, *database, clock, audit,
                                                {settings.text("content.folder")}));
  return governance->vault().shredded_again();
}

}  // namespace

absl::StatusOr<RestoredHome> restore_home(const std::string& home, const RestoreOptions& options) {
  ASSIGN_OR_RETURN(const auto backup, read_backup(options));
  ASSIGN_OR_RETURN(const auto lock, lock_home(home));
  for (const auto* name : {"/plinth.db", "/plinth.db-wal", "/plinth.toml"})
    RETURN_IF_ERROR(refuse_present(home + name));
  for (const auto& file : backup.secrets.files)
    RETURN_IF_ERROR(refuse_present(home + "/secrets/" + file.name));

  const bool settings = has_file(backup.data, kSettings);
  if (settings)
    RETURN_IF_ERROR(copy_small_file(options.backup + "/" + kSettings, home + "/" + kSettings));
  RestoredHome restored;
  auto status = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto read, load_settings(home, nullptr));
    restored.copies_folder = copies_folder_of(home, read);
    // Before there is a database that a service could start on.
    if (!options.tombstones.empty()) {
      ASSIGN_OR_RETURN(restored.tombstones,
                       governance::import_tombstones(options.tombstones, restored.copies_folder));
    }
    return restore_data(home, options, backup);
  }();
  if (!status.ok()) {
    // So that the next try finds the home as this one did.
    if (settings) ::unlink((home + "/" + kSettings).c_str());
    return status;
  }
  restored.manifest = backup.data;
  restored.has_content = has_file(backup.data, kContentList);
  restored.content_files = backup.content.size();
  restored.tuned_models = backup.tuned_models.size();
  if (options.secrets.empty()) return restored;
  RETURN_IF_ERROR(restore_secrets(home, options.secrets, backup.secrets));
  if (options.keys.empty()) return restored;
  ASSIGN_OR_RETURN(restored.shredded_again, replay(home, options));
  restored.is_replayed = true;
  return restored;
}

}  // namespace plinth
