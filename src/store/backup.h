// Copies of a database that is in use, and what becomes a database again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

struct DatabaseCopy {
  Dialect dialect = Dialect::sqlite;
  std::int64_t schema_version = 0;
};

// A sealed file that a copy of a database names: what has to be kept with it.
struct CopiedContent {
  std::string id;
  std::string sha256;  // of the sealed file
  bool operator==(const CopiedContent&) const = default;
};

// Writes the state of one moment of `where` (as Database::open() takes it) into `file`, which is
// not there yet, while others write; durable when this returns. SQLite's copy is a database,
// PostgreSQL's an archive of pg_dump. Any schema version is copied. Data keys are left
// out: governance::export_data_keys() writes them apart. FailedPrecondition where
// pg_dump is not installed; DataLoss where SQLite's copy is damaged, as its source is then.
// `content`: what of that same moment the copy names, by id; nullptr = is not asked.
absl::StatusOr<DatabaseCopy> copy_database(const std::string& where, const std::string& file,
                                           std::vector<CopiedContent>* content = nullptr);

// Makes `where`, a SQLite path with nothing there or an empty PostgreSQL database, of such a copy.
// FailedPrecondition where there is something, the schema is newer than this program's, or
// pg_restore is not installed; DataLoss where the copy is damaged.
absl::Status restore_database(const DatabaseCopy& copy, const std::string& file,
                              const std::string& where);

}  // namespace plinth::store
