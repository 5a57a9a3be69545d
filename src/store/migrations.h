// The schema's history.
#pragma once

#include "base/status.h"
#include "store/sql.h"

namespace plinth::store {

// Brings the schema of an open transaction's database to the newest version. FailedPrecondition
// where it is newer than this program knows.
absl::Status migrate(Sql& sql);

}  // namespace plinth::store
