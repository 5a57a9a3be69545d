// What of a home goes into a backup, and a home made of one. Keys are apart from data: whoever
// gets the one has not got the other.
//
//   BACKUP/manifest.json, database.sqlite or database.pgdump, plinth.toml,
//     content.sha256, content/ (home_content.h),
//     tuned_models.json (backup_models.h)                                    of make_backup()
//   KEYS, a file of wrapped data keys                                        of make_key_backup()
//   SECRETS/manifest.json, and the files of secrets/                         of
//   make_secrets_backup()
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/backup_manifest.h"

namespace plinth {

struct BackupOptions {
  std::string folder;
  bool content = true;         // with the sealed files
  std::int64_t created_s = 0;  // the time, for the manifest
};
// Of a home that is in use or not, into a folder that is not there yet and appears whole. Models
// are named, with their digests, and not copied, but for those that lie sealed.
absl::StatusOr<store::BackupManifest> make_backup(const std::string& home,
                                                  const BackupOptions& options);
// FailedPrecondition where the home has no secrets.
absl::StatusOr<store::BackupManifest> make_secrets_backup(const std::string& home,
                                                          const std::string& folder,
                                                          std::int64_t created_s);

// The key store, which is in none of the others: a file that is not there yet.
absl::Status make_key_backup(const std::string& home, const std::string& file);

struct RestoreOptions {
  std::string backup;
  std::string secrets;     // "" = without
  std::string keys;        // "" = without: what was sealed is not readable
  std::string tombstones;  // a shredded.jsonl that was kept apart; "" = without
  std::string database;    // "" = as the backup's settings say
};
struct RestoredHome {
  store::BackupManifest manifest;  // of the data
  bool has_content = false;        // the backup has the sealed files
  std::size_t content_files = 0;
  std::size_t tuned_models = 0;  // that the backup has; callable with their bases
  std::string copies_folder;     // where tombstones are
  std::size_t tombstones = 0;    // of the options, that were not there yet
  // The service was opened once, with keys and secrets: it destroyed these keys again.
  bool is_replayed = false;
  std::vector<std::string> shredded_again;
};
// Into a home that has no database, no settings and, where they are given, no secrets yet. Every
// digest is checked before anything is written; what is there is never overwritten. With keys and
// secrets, what tombstones name is destroyed before this returns. DataLoss where the backup is
// damaged.
absl::StatusOr<RestoredHome> restore_home(const std::string& home, const RestoreOptions& options);

}  // namespace plinth
