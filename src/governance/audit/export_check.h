// Lines of an export: how they are written, and checked again one by one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "governance/audit/chain_check.h"
#include "governance/audit/checkpoint_set.h"
#include "governance/audit_verify.h"

namespace plinth::governance {

std::string export_line(const VerifyingKey& key);
std::string export_line(const SignedCheckpoint& checkpoint);
// A record that is no canonical JSON stands in it as a text, "damaged".
std::string export_line(const store::AuditRow& row);

class ExportCheck {
 public:
  // `own_keys`: whether the keys in the export itself are trusted.
  ExportCheck(CheckpointSet set, bool own_keys) : set_(std::move(set)), own_keys_(own_keys) {}

  // In the order of the export: records come last. `where` names the line in a message. DataLoss
  // where it is no export; a line that cannot be read among the records, or just before them, is a
  // record that was changed.
  absl::Status add(std::string_view line, const std::string& where);
  AuditVerdict finish();

 private:
  absl::Status add_head(const base::json::object& line, std::string_view kind,
                        const std::string& where);
  void add_record(const base::json::object& line);

  CheckpointSet set_;
  const bool own_keys_;
  std::unique_ptr<ChainCheck> chain_;  // once the first record has come
  std::int64_t next_ = 0;              // index of the next record, were all right
  bool begun_ = false;                 // a line of an export was seen
  std::int64_t unreadable_ = 0;        // lines before the first record that say nothing
  std::string unreadable_where_;       // the first of them
};

// What is wrong first, and what is right.
AuditVerdict to_verdict(ChainCheck& chain, const CheckpointSet& set);

}  // namespace plinth::governance
