// The schema's history.
#pragma once

#include "base/status.h"
#include "store/sql.h"

namespace plinth::store {

// Brings the schema of an open transaction's database to the newest version. FailedPrecondition
// where it is newer than this program knows.
absl::Status migrate(Sql& sql);

// Of the database, which is not changed; 0 where it has no schema of ours.
std::int64_t schema_version(Sql& sql);
// That this program migrates to.
std::int64_t newest_schema_version();

}  // namespace plinth::store
