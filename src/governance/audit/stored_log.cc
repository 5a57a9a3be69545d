#include "governance/audit/stored_log.h"

#include "governance/audit_limits.h"

namespace plinth::governance {

absl::StatusOr<CheckpointSet> collect_checkpoints(store::AuditStore& store, const std::string& home,
                                                  const std::vector<std::string>& folders) {
  CheckpointSet set;
  auto key = read_home_key(home);
  // Another machine's database may be verified with the keys in the folders alone.
  if (key.ok()) {
    set.trust(*std::move(key));
  } else if (!absl::IsNotFound(key.status()) || folders.empty()) {
    return key.status();
  }
  for (const auto& folder : folders) RETURN_IF_ERROR(set.add_folder(folder));
  RETURN_IF_ERROR(set.add_all(store));
  return set;
}

absl::Status each_audit_row(store::AuditStore& store,
                            const std::function<absl::Status(const store::AuditRow&)>& take) {
  for (std::int64_t from = 0;;) {
    ASSIGN_OR_RETURN(const auto rows, store.rows(from, kAuditBatch));
    for (const auto& row : rows) RETURN_IF_ERROR(take(row));
    if (static_cast<std::int64_t>(rows.size()) < kAuditBatch) return absl::OkStatus();
    from = rows.back().index + 1;
  }
}

}  // namespace plinth::governance
