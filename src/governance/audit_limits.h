// Bounds of the audit log, with their reasons.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// Details of one record. Names and limits take some hundred bytes; a key's list of 256 models may
// take more: then the record says how much was left out, and its digest.
inline constexpr std::size_t kAuditDetailsBytesMax = 16u << 10;
// A record: such details, and its names, each of whose bytes an escape may make six.
inline constexpr std::size_t kAuditRecordBytesMax = 512u << 10;
// A record's own nesting, and eight levels of details.
inline constexpr std::size_t kAuditDepthMax = 12;
// Type, ids and addresses of an event: RFC 5321 allows an address 254 bytes, and a
// model's name has 512.
inline constexpr std::size_t kAuditNameBytesMax = 1024;
inline constexpr std::size_t kAuditResourcesMax = 64;
static_assert(kAuditDetailsBytesMax + 6 * (kAuditResourcesMax + 10) * kAuditNameBytesMax <
              kAuditRecordBytesMax);
// A line of an export or of a checkpoint file: a damaged record is escaped once more.
inline constexpr std::size_t kAuditLineBytesMax = 4u << 20;
static_assert(6 * kAuditRecordBytesMax < kAuditLineBytesMax);

// Refusals of one kind and source make one record in this time.
inline constexpr std::chrono::seconds kRefusalWindow{60};
// Kinds and sources that are told apart in it; the rest shares a record for each kind. Whoever
// commands a million addresses writes 64 and a few records a minute, some 40 MB a day.
inline constexpr std::size_t kRefusalSourcesMax = 64;
// Endpoints that such a record names.
inline constexpr std::size_t kRefusalEndpointsMax = 16;

// What is appended after a checkpoint is protected by the next one.
inline constexpr std::chrono::seconds kCheckpointInterval{60};
// How often the keeper looks: late by a second is no matter.
inline constexpr std::chrono::seconds kAuditTick{1};
static_assert(kAuditTick < kCheckpointInterval && kAuditTick < kRefusalWindow);

// Records read at once, when the log is sealed, verified or exported: some hundred KiB.
inline constexpr std::int64_t kAuditBatch = 256;

}  // namespace plinth::governance
