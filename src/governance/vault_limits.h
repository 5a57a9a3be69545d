// Bounds of what is sealed and kept, with their reasons.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// A line of shredded.jsonl: two ids of at most 256 bytes, each of which an escape may make six.
inline constexpr std::size_t kTombstoneBytesMax = 4096;
// A million keys.
inline constexpr std::size_t kTombstoneFileBytesMax = std::size_t{1} << 30;
// A file of data keys: a million of them at half a kilobyte.
inline constexpr std::size_t kKeyExportBytesMax = std::size_t{1} << 30;
// A file under secrets/: an Ed25519 key in PEM has 120 bytes, a pepper 32.
inline constexpr std::size_t kSecretBytesMax = 64u << 10;

// A key that is retired seals what was begun under it for so long: an upload of a terabyte at
// 300 MB/s.
inline constexpr std::int64_t kRetiredGraceS = 3600;

// Of an id of content: it is the name of a file.
inline constexpr std::size_t kContentIdBytesMax = 128;
// Rows that a job reads at once.
inline constexpr std::int64_t kContentBatch = 256;
// Of content that is read or written at once, by a job: sixteen chunks.
inline constexpr std::size_t kContentCopyBytes = 1u << 20;
// How often the keeper looks for what is past due: days are the unit of people's promises.
inline constexpr std::chrono::seconds kRetentionInterval{60};
// Files without a row that are younger may be of a transaction that is not done yet.
inline constexpr std::int64_t kOrphanAgeS = 3600;
// A century: longer is "until it is deleted".
inline constexpr std::int64_t kRetentionDaysMax = 36'500;

}  // namespace plinth::governance
