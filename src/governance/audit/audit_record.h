// One record of the chain: the canonical text that is hashed, and what it says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "governance/audit_event.h"
#include "store/audit_store.h"

namespace plinth::governance {

struct AuditRecord {
  std::int64_t index = 0;
  std::string previous;  // hash of the record before; kAuditGenesis of the first
  std::int64_t time_ms = 0;
  AuditEvent event;
};

// What the first record has for the hash of the one before: 64 zeros.
inline constexpr char kAuditGenesis[] =
    "0000000000000000000000000000000000000000000000000000000000000000";

// SHA-256 of a record's text in lower-case hex.
std::string audit_hash(std::string_view record);
// "audit_log-" and the first 24 digits of the record's hash.
std::string audit_id(std::string_view hash);

// The row that puts the event at the end of a chain. InvalidArgument names a field that is too long
// or no UTF-8; details that are too long are left out, which the record says.
absl::StatusOr<store::AuditRow> to_audit_row(const AuditEvent& event, const store::AuditHead& head,
                                             std::int64_t time_ms);
// What a record's text says. DataLoss where it is not exactly what to_audit_row() writes.
absl::StatusOr<AuditRecord> parse_audit_record(std::string_view text);
// The row of a record: its columns repeat what it says.
store::AuditRow to_audit_row(const AuditRecord& record, std::string text);
// The first column that does not say what the record says; "" where all do.
std::string_view wrong_column(const store::AuditRow& row, const store::AuditRow& right);

}  // namespace plinth::governance
