// Checks records one after the other, and names the first that is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "governance/audit/audit_record.h"
#include "governance/audit/checkpoint.h"
#include "governance/audit/merkle_frontier.h"
#include "governance/audit_verify.h"

namespace plinth::governance {

class ChainCheck {
 public:
  // Checkpoints whose signature is right, by size.
  explicit ChainCheck(std::vector<AuditCheckpoint> checkpoints)
      : checkpoints_(std::move(checkpoints)) {}

  // The next row as it stands. After the first that is wrong the rest only tells a record that was
  // moved from one that is gone.
  void add(const store::AuditRow& row);
  // After the last row: what is wrong, if anything is.
  std::optional<AuditFinding> finish();

  std::int64_t size() const { return frontier_.size(); }  // records that are right
  const std::string& head() const { return head_; }

 private:
  std::optional<AuditFinding> examine(const store::AuditRow& row) const;
  void accept(const store::AuditRow& row);
  void look_for_missing(const store::AuditRow& row);

  const std::vector<AuditCheckpoint> checkpoints_;
  std::size_t next_checkpoint_ = 0;
  std::int64_t sealed_ = 0;  // records that a fitting checkpoint covers
  MerkleFrontier frontier_;
  std::string head_ = kAuditGenesis;
  // A checkpoint did not fit: the next record may still say which record it is.
  std::optional<AuditFinding> suspicion_;
  std::optional<AuditFinding> finding_;
};

}  // namespace plinth::governance
