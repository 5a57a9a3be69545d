// Signs the head of the chain now and then, and copies what it signed to a second place.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "governance/audit/checkpoint_copies.h"
#include "governance/audit/merkle_frontier.h"
#include "governance/audit/signing_key.h"
#include "store/audit_store.h"

namespace plinth::governance {

// Not thread-safe.
class Notary {
 public:
  // The references outlive it.
  static absl::StatusOr<std::unique_ptr<Notary>> open(const std::string& home,
                                                      const std::string& folder,
                                                      store::AuditStore& store,
                                                      const base::Clock& clock);

  // A checkpoint of everything that was appended since the last one, durable in both places; none
  // where nothing was. DataLoss names the first record that is not what it was: such a chain is not
  // signed, now or ever.
  absl::Status seal();

 private:
  Notary(SigningKey key, CheckpointCopies copies, store::AuditStore& store,
         const base::Clock& clock)
      : key_(std::move(key)), copies_(std::move(copies)), store_(store), clock_(clock) {}
  absl::Status recall();
  absl::Status follow_chain();
  absl::Status follow(const store::AuditRow& row);
  absl::Status check_known() const;
  absl::Status sign();
  absl::Status copy();

  const SigningKey key_;
  CheckpointCopies copies_;
  store::AuditStore& store_;
  const base::Clock& clock_;
  // Of the records that were followed, which are signed or about to be.
  MerkleFrontier frontier_;
  std::string head_;
  std::int64_t signed_size_ = 0;
  AuditCheckpoint known_;  // the largest that any place had at the start
};

}  // namespace plinth::governance
