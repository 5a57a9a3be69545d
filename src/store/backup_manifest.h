// manifest.json of a backup: what is in it and how it is known to be whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/backup.h"

namespace plinth::store {

struct BackupFile {
  std::string name;  // in the backup's folder; never a path
  std::uint64_t bytes = 0;
  std::string sha256;
};

// A model of the home: not in the backup, since it can be pulled again.
struct BackupModel {
  std::string name;
  std::vector<BackupFile> files;  // names may be paths in the model
};

struct BackupManifest {
  std::string content;  // "data": database and settings; "secrets": keys
  std::string plinth;   // version of the program that made it
  std::int64_t created_s = 0;
  DatabaseCopy database;  // of "data"
  std::vector<BackupFile> files;
  std::vector<BackupModel> models;
};

std::string to_json(const BackupManifest& manifest);
// InvalidArgument names what is missing or malformed; FailedPrecondition for a format that only a
// newer program knows.
absl::StatusOr<BackupManifest> parse_backup_manifest(std::string_view json);

// Of one file in `folder`.
absl::StatusOr<BackupFile> describe_file(const std::string& folder, const std::string& name);
// DataLoss names the first file that is missing, cut or changed.
absl::Status verify_files(const std::string& folder, const std::vector<BackupFile>& files);

}  // namespace plinth::store
