#include "governance/audit_proof.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"
#include "base/json.h"
#include "governance/audit/export_check.h"
#include "governance/audit/merkle_proof.h"
#include "governance/audit/stored_log.h"

namespace plinth::governance {

namespace {

// The largest checkpoint that is right; null where there is none.
const SignedCheckpoint* last_right(const std::vector<SignedCheckpoint>& all,
                                   const std::vector<AuditCheckpoint>& right) {
  const SignedCheckpoint* last = nullptr;
  for (const auto& one : all) {
    if (!right.empty() && one.checkpoint == right.back()) last = &one;
  }
  return last;
}

}  // namespace

absl::StatusOr<std::string> prove_audit_record(store::Database& database, const std::string& home,
                                               const std::vector<std::string>& folders,
                                               std::int64_t index) {
  store::AuditStore store(database);
  ASSIGN_OR_RETURN(const auto set, collect_checkpoints(store, home, folders));
  const auto right = set.right();
  const auto all = set.all();
  const auto* seal = last_right(all, right);
  if (index < 0 || seal == nullptr || index >= seal->checkpoint.size)
    return base::not_found(fmt::format("no checkpoint seals record {}", index));
  ChainCheck chain(right);
  std::vector<std::string> leaves;
  std::string record;
  RETURN_IF_ERROR(each_audit_row(store, [&](const store::AuditRow& row) {
    chain.add(row);
    if (row.index == index) record = row.record;
    if (row.index < seal->checkpoint.size) leaves.push_back(merkle_leaf(row.record));
    return absl::OkStatus();
  }));
  const auto verdict = to_verdict(chain, set);
  if (verdict.finding) return base::data_loss(verdict.finding->message);
  const auto path = merkle_path(leaves, static_cast<std::size_t>(index));
  base::json::array hex;
  for (const auto& hash : path) hex.emplace_back(absl::BytesToHexString(hash));
  return fmt::format(
      "{{\"checkpoint\":{},\"index\":{},\"kind\":\"proof\",\"path\":{},\"record\":{},"
      "\"signature\":\"{}\"}}",
      seal->text, index, base::to_json(hex), record, seal->signature);
}

}  // namespace plinth::governance
