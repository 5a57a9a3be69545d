#include "governance/audit_verify.h"

#include <fmt/format.h>

#include "governance/audit/chain_check.h"
#include "governance/audit/checkpoint_set.h"
#include "governance/audit/export_check.h"
#include "governance/audit/lines.h"
#include "governance/audit/stored_log.h"

namespace plinth::governance {

absl::StatusOr<AuditVerdict> verify_audit(store::Database& database, const std::string& home,
                                          const std::vector<std::string>& folders) {
  store::AuditStore store(database);
  // Before the records: a service that runs may seal more of them meanwhile.
  ASSIGN_OR_RETURN(const auto set, collect_checkpoints(store, home, folders));
  ChainCheck chain(set.right());
  RETURN_IF_ERROR(each_audit_row(store, [&](const store::AuditRow& row) {
    chain.add(row);
    return absl::OkStatus();
  }));
  return to_verdict(chain, set);
}

absl::StatusOr<AuditVerdict> verify_audit_export(const std::string& path,
                                                 const std::vector<std::string>& folders) {
  CheckpointSet set;
  for (const auto& folder : folders) RETURN_IF_ERROR(set.add_folder(folder));
  ExportCheck check(std::move(set), folders.empty());
  RETURN_IF_ERROR(read_lines(path, [&](std::string_view line, std::int64_t number) {
    return check.add(line, fmt::format("{}:{}", path, number));
  }));
  return check.finish();
}

absl::StatusOr<std::int64_t> export_audit(
    store::Database& database, const std::string& home, const std::vector<std::string>& folders,
    const std::function<absl::Status(std::string_view)>& write) {
  store::AuditStore store(database);
  ASSIGN_OR_RETURN(const auto set, collect_checkpoints(store, home, folders));
  for (const auto& [id, key] : set.keys()) RETURN_IF_ERROR(write(export_line(key)));
  for (const auto& one : set.all()) RETURN_IF_ERROR(write(export_line(one)));
  std::int64_t records = 0;
  RETURN_IF_ERROR(each_audit_row(store, [&](const store::AuditRow& row) {
    ++records;
    return write(export_line(row));
  }));
  return records;
}

}  // namespace plinth::governance
