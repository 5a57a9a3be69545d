// A signed head of the chain: so many records, ending with this hash.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

struct AuditCheckpoint {
  std::int64_t size = 0;
  std::string head;  // hash of record size - 1
  std::string root;  // of the Merkle tree over the records, RFC 9162: hex
  std::int64_t time_ms = 0;
  std::string key;  // id of the key that signs

  bool operator==(const AuditCheckpoint&) const = default;
};

struct SignedCheckpoint {
  AuditCheckpoint checkpoint;
  std::string text;       // what is signed: canonical JSON
  std::string signature;  // base64url
};

std::string checkpoint_text(const AuditCheckpoint& checkpoint);
// DataLoss where it is not exactly what checkpoint_text() writes.
absl::StatusOr<AuditCheckpoint> parse_checkpoint(std::string_view text);

// {"checkpoint":{...},"signature":"..."} without its newline, and back.
std::string checkpoint_line(std::string_view text, std::string_view signature);
absl::StatusOr<SignedCheckpoint> parse_checkpoint_line(std::string_view line);

}  // namespace plinth::governance
