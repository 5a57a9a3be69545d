#include "governance/audit/checkpoint_set.h"

#include <fmt/format.h>

#include "governance/audit/checkpoint_copies.h"
#include "governance/audit_limits.h"
#include "governance/sign_in/encoding.h"

namespace plinth::governance {

void CheckpointSet::add(const store::AuditCheckpointRow& row) {
  const auto parsed = parse_checkpoint(row.checkpoint);
  if (parsed.ok() && parsed->size == row.size) {
    checkpoints_[{row.size, row.checkpoint, row.signature}] = {*parsed, row.checkpoint,
                                                               row.signature};
  } else if (!unreadable_) {
    unreadable_ = AuditFinding{
        row.size, "checkpoint",
        fmt::format("the checkpoint of {} records in the database was changed", row.size)};
  }
}

void CheckpointSet::add_line(std::string_view line, const std::string& where) {
  const auto parsed = parse_checkpoint_line(line);
  if (parsed.ok()) {
    checkpoints_[{parsed->checkpoint.size, parsed->text, parsed->signature}] = *parsed;
  } else if (!unreadable_) {
    unreadable_ =
        AuditFinding{0, "checkpoint", fmt::format("{}: {}", where, base::message(parsed.status()))};
  }
}

absl::Status CheckpointSet::add_folder(const std::string& folder) {
  ASSIGN_OR_RETURN(auto found, read_checkpoint_folder(
                                   folder, [&](std::string_view line, const std::string& where) {
                                     add_line(line, where);
                                     return absl::OkStatus();
                                   }));
  for (auto& key : found.keys) trust(std::move(key));
  return absl::OkStatus();
}

absl::Status CheckpointSet::add_all(store::AuditStore& store) {
  for (std::int64_t after = 0;;) {
    ASSIGN_OR_RETURN(const auto rows, store.checkpoints(after, kAuditBatch));
    for (const auto& row : rows) add(row);
    if (static_cast<std::int64_t>(rows.size()) < kAuditBatch) return absl::OkStatus();
    after = rows.back().size;
  }
}

bool CheckpointSet::is_right(const SignedCheckpoint& one) const {
  const auto key = keys_.find(one.checkpoint.key);
  const auto signature = base64url_bytes(one.signature);
  return key != keys_.end() && signature && key->second.verify(one.text, *signature);
}

std::vector<AuditCheckpoint> CheckpointSet::right() const {
  std::vector<AuditCheckpoint> out;
  for (const auto& [place, one] : checkpoints_) {
    if (is_right(one)) out.push_back(one.checkpoint);
  }
  return out;
}

std::optional<AuditFinding> CheckpointSet::finding() const {
  if (unreadable_) return unreadable_;
  for (const auto& [place, one] : checkpoints_) {
    const auto size = one.checkpoint.size;
    if (!keys_.contains(one.checkpoint.key)) {
      return AuditFinding{size, "checkpoint",
                          fmt::format("the checkpoint of {} records is signed by the key {}, which "
                                      "is not known here: name its folder",
                                      size, one.checkpoint.key)};
    }
    if (!is_right(one)) {
      return AuditFinding{
          size, "checkpoint",
          fmt::format("the checkpoint of {} records does not have its signature", size)};
    }
  }
  return std::nullopt;
}

std::vector<SignedCheckpoint> CheckpointSet::all() const {
  std::vector<SignedCheckpoint> out;
  for (const auto& [place, one] : checkpoints_) out.push_back(one);
  return out;
}

}  // namespace plinth::governance
