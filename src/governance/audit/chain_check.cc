#include "governance/audit/chain_check.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"

namespace plinth::governance {

namespace {

AuditFinding changed(std::int64_t index, std::string_view how) {
  return {index, "changed", fmt::format("record {} was changed: {}", index, how)};
}

}  // namespace

std::optional<AuditFinding> ChainCheck::examine(const store::AuditRow& row) const {
  const auto next = size();
  const auto missing = [&](std::int64_t instead) {
    return AuditFinding{
        next, "deleted",
        fmt::format("record {} was deleted: record {} stands in its place", next, instead)};
  };
  if (row.index != next) return missing(row.index);
  if (audit_hash(row.record) != row.hash) return changed(next, "it does not have its hash");
  const auto record = parse_audit_record(row.record);
  if (!record.ok()) return changed(next, base::message(record.status()));
  if (record->index != next) return missing(record->index);
  if (record->previous != head_) {
    if (next == 0) return changed(0, "it is no first record");
    return changed(next - 1, fmt::format("it is not the one that record {} follows", next));
  }
  const auto column = wrong_column(row, to_audit_row(*record, row.record));
  if (!column.empty())
    return changed(next, fmt::format("its column {} does not say what it says", column));
  return std::nullopt;
}

void ChainCheck::accept(const store::AuditRow& row) {
  frontier_.add(row.record);
  head_ = row.hash;
  const auto root = absl::BytesToHexString(base::to_absl(frontier_.root()));
  for (; next_checkpoint_ < checkpoints_.size(); ++next_checkpoint_) {
    const auto& checkpoint = checkpoints_[next_checkpoint_];
    if (checkpoint.size != size()) break;
    if (suspicion_) continue;
    if (checkpoint.head == head_ && checkpoint.root == root) {
      sealed_ = size();
      continue;
    }
    suspicion_ = AuditFinding{
        sealed_, "rewritten",
        fmt::format("records {} to {} are not those that the checkpoint of {} records sealed",
                    sealed_, size() - 1, size())};
  }
}

void ChainCheck::look_for_missing(const store::AuditRow& row) {
  if (finding_->problem != "deleted") return;
  const auto record = parse_audit_record(row.record);
  if ((record.ok() ? record->index : row.index) != finding_->index) return;
  finding_->problem = "reordered";
  finding_->message =
      fmt::format("record {} was moved: it stands behind later ones", finding_->index);
}

void ChainCheck::add(const store::AuditRow& row) {
  if (finding_) return look_for_missing(row);
  auto found = examine(row);
  if (suspicion_) {
    // A record that was changed together with its hash is the one that its successor disowns.
    const bool exact = found && found->problem == "changed" && found->index == size() - 1;
    finding_ = exact ? std::move(found) : std::move(suspicion_);
    suspicion_.reset();
    return;
  }
  if (!found) return accept(row);
  finding_ = std::move(found);
  look_for_missing(row);
}

std::optional<AuditFinding> ChainCheck::finish() {
  if (!finding_) finding_ = suspicion_;
  if (finding_ || next_checkpoint_ == checkpoints_.size()) return finding_;
  const auto& last = checkpoints_.back();
  finding_ = AuditFinding{
      size(), "truncated",
      fmt::format("records {} to {} are missing: the log was truncated before the checkpoint of {} "
                  "records",
                  size(), last.size - 1, last.size)};
  return finding_;
}

}  // namespace plinth::governance
