// Proves offline that an audit log is what was sealed: every record follows the one before, and
// every signed checkpoint, also those in the second place, fits. docs/decisions/0013 says what that
// proves, and what it does not.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/database.h"

namespace plinth::governance {

struct AuditFinding {
  std::int64_t index = 0;  // of the first record that is wrong
  // "changed", "deleted", "reordered", "rewritten", "truncated", or "checkpoint" where the records
  // are right and a checkpoint is not.
  std::string problem;
  std::string message;
};

struct AuditVerdict {
  std::optional<AuditFinding> finding;  // nothing: the log is whole
  std::int64_t records = 0;             // up to the finding
  std::int64_t checkpoints = 0;         // whose signature is right
  std::int64_t sealed = 0;              // records of the largest of them
  std::string head;                     // hash of the last record that is right
  std::vector<std::string> keys;        // ids of the keys that were trusted
};

// The log of a database, against its own checkpoints and those in `folders`. Trusts the key of the
// home (secrets/audit_key) and those in the folders.
absl::StatusOr<AuditVerdict> verify_audit(store::Database& database, const std::string& home,
                                          const std::vector<std::string>& folders);
// The log of an export. Trusts the keys in the folders, or where there are no folders those in the
// export itself.
absl::StatusOr<AuditVerdict> verify_audit_export(const std::string& path,
                                                 const std::vector<std::string>& folders);

// Lines of JSON: keys, checkpoints (the folders' too), records, as they are. Returns how many
// records; what is damaged is exported as it is.
absl::StatusOr<std::int64_t> export_audit(
    store::Database& database, const std::string& home, const std::vector<std::string>& folders,
    const std::function<absl::Status(std::string_view line)>& write);

}  // namespace plinth::governance
