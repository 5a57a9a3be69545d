// The log as a database holds it, for who checks and exports it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "governance/audit/checkpoint_set.h"
#include "store/audit_store.h"

namespace plinth::governance {

// Checkpoints of the database and of the folders; trusts the home's key and those in the folders.
absl::StatusOr<CheckpointSet> collect_checkpoints(store::AuditStore& store, const std::string& home,
                                                  const std::vector<std::string>& folders);

// Every row in order; `take`'s error ends it.
absl::Status each_audit_row(store::AuditStore& store,
                            const std::function<absl::Status(const store::AuditRow&)>& take);

}  // namespace plinth::governance
