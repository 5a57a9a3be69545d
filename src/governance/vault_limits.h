// Bounds of what is sealed and kept, with their reasons.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// An organization's or a project's id, in a line about a key.
inline constexpr std::size_t kKeyOwnerBytesMax = 256;
// A wrapped key in hex: one of 4,096 bits of RSA, as hardware modules wrap, is half of it.
inline constexpr std::size_t kWrappedKeyHexMax = 640;
// A line of shredded.jsonl or of a key store: two owners' ids, each byte of which an escape may
// make six, and the rest, which no escape makes longer.
inline constexpr std::size_t kKeyLineBytesMax = 4096;
static_assert(2 * 6 * kKeyOwnerBytesMax + kWrappedKeyHexMax + 300 <= kKeyLineBytesMax);
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
