#include "governance/audit/notary.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"
#include "governance/audit/audit_record.h"
#include "governance/audit_limits.h"
#include "governance/sign_in/encoding.h"

namespace plinth::governance {

absl::StatusOr<std::unique_ptr<Notary>> Notary::open(const std::string& home,
                                                     const std::string& folder,
                                                     store::AuditStore& store,
                                                     const base::Clock& clock) {
  ASSIGN_OR_RETURN(auto key, SigningKey::open(home));
  ASSIGN_OR_RETURN(auto copies, CheckpointCopies::open(folder, key.verifying()));
  std::unique_ptr<Notary> made(new Notary(std::move(key), std::move(copies), store, clock));
  RETURN_IF_ERROR(made->recall());
  return made;
}

// Goes on from the last checkpoint where this key signed it; else the chain is followed from its
// first record.
absl::Status Notary::recall() {
  if (copies_.last()) known_ = *copies_.last();
  ASSIGN_OR_RETURN(const auto row, store_.last_checkpoint());
  if (!row) return absl::OkStatus();
  const auto checkpoint = parse_checkpoint(row->checkpoint);
  const auto signature = base64url_bytes(row->signature);
  if (!checkpoint.ok() || !signature || checkpoint->size != row->size ||
      checkpoint->key != key_.verifying().id() ||
      !key_.verifying().verify(row->checkpoint, *signature)) {
    return absl::OkStatus();
  }
  auto frontier = MerkleFrontier::parse(checkpoint->size, row->frontier);
  if (!frontier.ok() ||
      absl::BytesToHexString(base::to_absl(frontier->root())) != checkpoint->root) {
    return absl::OkStatus();
  }
  frontier_ = *std::move(frontier);
  head_ = checkpoint->head;
  signed_size_ = checkpoint->size;
  if (checkpoint->size > known_.size) known_ = *checkpoint;
  return absl::OkStatus();
}

absl::Status Notary::check_known() const {
  if (frontier_.size() != known_.size || head_ == known_.head) return absl::OkStatus();
  return base::data_loss(fmt::format(
      "[audit] the first {} records are not those that were sealed before", known_.size));
}

absl::Status Notary::follow(const store::AuditRow& row) {
  const auto wrong = [&](std::string_view what) {
    return base::data_loss(fmt::format("[audit] record {}: {}", frontier_.size(), what));
  };
  if (row.index != frontier_.size()) return wrong("it is missing");
  if (audit_hash(row.record) != row.hash) return wrong("it is not what its hash says");
  const auto record = parse_audit_record(row.record);
  if (!record.ok()) return wrong(base::message(record.status()));
  const auto& previous = frontier_.size() == 0 ? std::string(kAuditGenesis) : head_;
  if (record->index != row.index || record->previous != previous)
    return wrong("it does not follow the one before");
  frontier_.add(row.record);
  head_ = row.hash;
  return check_known();
}

absl::Status Notary::follow_chain() {
  RETURN_IF_ERROR(check_known());
  ASSIGN_OR_RETURN(const auto head, store_.head());
  if (head.size < std::max(frontier_.size(), known_.size)) {
    return base::data_loss(fmt::format("[audit] {} records are left of {} that were sealed",
                                       head.size, std::max(frontier_.size(), known_.size)));
  }
  if (head.size == frontier_.size() && head.size > 0 && head.hash != head_) {
    return base::data_loss(
        fmt::format("[audit] record {} is not the one that was sealed", head.size - 1));
  }
  while (frontier_.size() < head.size) {
    ASSIGN_OR_RETURN(const auto rows, store_.rows(frontier_.size(), kAuditBatch));
    if (rows.empty()) return base::data_loss("[audit] records vanish while they are read");
    for (const auto& row : rows) RETURN_IF_ERROR(follow(row));
  }
  return absl::OkStatus();
}

absl::Status Notary::sign() {
  if (frontier_.size() == signed_size_) return absl::OkStatus();
  AuditCheckpoint checkpoint;
  checkpoint.size = frontier_.size();
  checkpoint.head = head_;
  checkpoint.root = absl::BytesToHexString(base::to_absl(frontier_.root()));
  checkpoint.time_ms = clock_.unix_millis();
  checkpoint.key = key_.verifying().id();
  const auto text = checkpoint_text(checkpoint);
  RETURN_IF_ERROR(store_.insert_checkpoint(
      {checkpoint.size, text, base64url(key_.sign(text)), frontier_.text()}));
  signed_size_ = checkpoint.size;
  return absl::OkStatus();
}

// Also what other gateways signed, and what a crash kept from being copied; of records that this
// one has followed, so that an invented size does not keep later ones out.
absl::Status Notary::copy() {
  for (;;) {
    const auto after = copies_.last() ? copies_.last()->size : 0;
    ASSIGN_OR_RETURN(const auto rows, store_.checkpoints(after, kAuditBatch));
    std::vector<SignedCheckpoint> lines;
    for (const auto& row : rows) {
      if (row.size > frontier_.size()) break;
      ASSIGN_OR_RETURN(const auto checkpoint, parse_checkpoint(row.checkpoint));
      if (checkpoint.size != row.size) {
        return base::data_loss(
            fmt::format("[audit] the checkpoint of {} records says {}", row.size, checkpoint.size));
      }
      lines.push_back({checkpoint, row.checkpoint, row.signature});
    }
    RETURN_IF_ERROR(copies_.append(lines));
    if (static_cast<std::int64_t>(lines.size()) < kAuditBatch) return absl::OkStatus();
  }
}

absl::Status Notary::seal() {
  RETURN_IF_ERROR(follow_chain());
  RETURN_IF_ERROR(sign());
  return copy();
}

}  // namespace plinth::governance
