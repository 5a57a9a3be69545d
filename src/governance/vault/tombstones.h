// shredded.jsonl: keys that were destroyed for good, a line each, in a place that no restored
// backup overwrites.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "governance/vault/key_bytes.h"
#include "store/data_key_store.h"

namespace plinth::governance {

// Hex. Made from the key itself: whoever writes tombstones without it destroys nothing, and whoever
// reads it has not got the key.
std::string shredding_proof(const KeyBytes& key);

std::string tombstone_line(const store::ShreddedKeyRow& row);
// InvalidArgument where it is none.
absl::StatusOr<store::ShreddedKeyRow> parse_tombstone(std::string_view line);

// Nothing where there is no file. A line that is none is passed over with a word in the log: it is
// what a crash left.
absl::StatusOr<std::vector<store::ShreddedKeyRow>> read_tombstones(const std::string& folder);
// Durable when this returns OK. Makes folder and file.
absl::Status append_tombstones(const std::string& folder,
                               const std::vector<store::ShreddedKeyRow>& rows);
// Those whose keys no tombstone there is of. Returns how many.
absl::StatusOr<std::size_t> append_missing_tombstones(
    const std::string& folder, const std::vector<store::ShreddedKeyRow>& rows);

}  // namespace plinth::governance
