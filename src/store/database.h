// One SQLite database: opened, migrated, and called with every exception turned into a Status.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"

namespace soci {
class session;
}

namespace plinth::store {

// Thread-safe: one connection behind a mutex, enough for keys (the ledger brings its own pool).
class Database {
 public:
  // Creates the file if needed, sets WAL and synchronous=FULL, and applies missing migrations.
  // FailedPrecondition where the file was written by a newer Plinth.
  static absl::StatusOr<std::unique_ptr<Database>> open(const std::string& path);
  ~Database();

  // Runs `body` in one transaction; a thrown database error rolls back and becomes Unavailable
  // (AlreadyExists for a broken uniqueness constraint).
  absl::Status transaction(std::string_view operation,
                           const std::function<absl::Status(soci::session&)>& body);

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// SQLite's quick_check of a file that may be in use, which is not changed. NotFound where there is
// none; DataLoss with its findings.
absl::Status check_database(const std::string& path);

}  // namespace plinth::store
