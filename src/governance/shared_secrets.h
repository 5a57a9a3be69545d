// Whether this home's secrets/ are those of its database. Gateways that share a database need the
// same: with another pepper no key is known, with another session key no session, and the audit log
// would be signed by two keys.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "store/document_store.h"

namespace plinth::governance {

// Of each secret that gateways share, by its file's name: tells it apart and not what it is. Makes
// those that are missing.
absl::StatusOr<std::map<std::string, std::string>> secret_fingerprints(const std::string& home);

// The first start of a database keeps the fingerprints of its home in it; every later one is held
// to them. FailedPrecondition names the files that differ, and what to do.
absl::Status check_shared_secrets(const std::string& home, store::Database& database,
                                  const base::Clock& clock);
// From now on the database's are those of this home: for when the old ones are lost.
absl::Status adopt_secrets(const std::string& home, store::Database& database,
                           const base::Clock& clock);

}  // namespace plinth::governance
