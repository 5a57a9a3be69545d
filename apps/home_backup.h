// What of a home goes into a backup, and a home made of one. Keys are apart from data: whoever
// gets the one has not got the other.
//
//   BACKUP/manifest.json, database.sqlite or database.pgdump, plinth.toml    of make_backup()
//   KEYS, a file of wrapped data keys                                        of make_key_backup()
//   SECRETS/manifest.json, and the files of secrets/                         of
//   make_secrets_backup()
#pragma once

#include <string>

#include "base/status.h"
#include "store/backup_manifest.h"

namespace plinth {

// Of a home that is in use or not, into a folder that is not there yet and appears whole. Models
// are named, with their digests, and not copied. `created_s`: the time, for the manifest.
absl::StatusOr<store::BackupManifest> make_backup(const std::string& home,
                                                  const std::string& folder,
                                                  std::int64_t created_s);
// FailedPrecondition where the home has no secrets.
absl::StatusOr<store::BackupManifest> make_secrets_backup(const std::string& home,
                                                          const std::string& folder,
                                                          std::int64_t created_s);

// The key store, which is in none of the others: a file that is not there yet.
absl::Status make_key_backup(const std::string& home, const std::string& file);

struct RestoreOptions {
  std::string backup;
  std::string secrets;   // "" = without
  std::string keys;      // "" = without: what was sealed is not readable
  std::string database;  // "" = as the backup's settings say
};
// Into a home that has no database, no settings and, where they are given, no secrets yet. Every
// digest is checked before anything is written; what is there is never overwritten. DataLoss where
// the backup is damaged. Returns the data's manifest.
absl::StatusOr<store::BackupManifest> restore_home(const std::string& home,
                                                   const RestoreOptions& options);

}  // namespace plinth
