// One record, shown to somebody who gets none of the others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/database.h"

namespace plinth::governance {

// One line of JSON: the record, its path in the Merkle tree of RFC 9162, and the signed checkpoint
// that seals it, the largest there is. NotFound where no checkpoint seals the record; DataLoss,
// with the finding, where the log is not what was sealed.
absl::StatusOr<std::string> prove_audit_record(store::Database& database, const std::string& home,
                                               const std::vector<std::string>& folders,
                                               std::int64_t index);

}  // namespace plinth::governance
