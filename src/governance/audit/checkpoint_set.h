// Checkpoints from everywhere, each once, held against the keys that are trusted.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "governance/audit/checkpoint.h"
#include "governance/audit/signing_key.h"
#include "governance/audit_verify.h"
#include "store/audit_store.h"

namespace plinth::governance {

class CheckpointSet {
 public:
  void trust(VerifyingKey key) { keys_.insert_or_assign(key.id(), std::move(key)); }
  void add(const store::AuditCheckpointRow& row);
  // `where` names the line in a message.
  void add_line(std::string_view line, const std::string& where);
  // Keys and lines of a folder.
  absl::Status add_folder(const std::string& folder);
  // Every checkpoint of a database.
  absl::Status add_all(store::AuditStore& store);

  // Those whose signature is right, by size.
  std::vector<AuditCheckpoint> right() const;
  // The first that is none, or is not signed by a key that is trusted.
  std::optional<AuditFinding> finding() const;
  // By size, also those that are not right.
  std::vector<SignedCheckpoint> all() const;
  const std::map<std::string, VerifyingKey>& keys() const { return keys_; }

 private:
  bool is_right(const SignedCheckpoint& one) const;

  std::map<std::string, VerifyingKey> keys_;  // by id
  // By size and text, so that copies count once; by signature, since one of two may be damaged.
  std::map<std::tuple<std::int64_t, std::string, std::string>, SignedCheckpoint> checkpoints_;
  std::optional<AuditFinding> unreadable_;  // the first
};

}  // namespace plinth::governance
