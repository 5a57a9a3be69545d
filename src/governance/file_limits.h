// Bounds of files and uploads, with their reasons. Those of one body and its time are OpenAI's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::governance {

inline constexpr std::int64_t kFileBytesMax = std::int64_t{512} << 20;
inline constexpr std::int64_t kUploadBytesMax = std::int64_t{8} << 30;
inline constexpr std::int64_t kPartBytesMax = std::int64_t{64} << 20;
inline constexpr std::int64_t kUploadSeconds = 3600;
inline constexpr std::int64_t kFileSecondsMin = 3600;
inline constexpr std::int64_t kFileSecondsMax = 30 * 86'400;
// Of files of batches that say nothing: what went into one is of no use once it is long over.
inline constexpr std::int64_t kBatchFileSeconds = 30 * 86'400;

// What the parts of an upload have together: some may have been sent twice.
inline constexpr std::int64_t kUploadPartsBytesMax = 2 * kUploadBytesMax;
// 8 GB in parts of a megabyte, and as many that were sent again.
inline constexpr std::int64_t kUploadPartsMax = 16'384;
// Each may hold kUploadPartsBytesMax; nobody sends more files at once.
inline constexpr std::int64_t kUploadsPendingMax = 256;
// Parts stay so much longer than their upload, which may be put together at its last moment.
inline constexpr std::int64_t kPartGraceSeconds = 3600;
// Uploads that ended are forgotten after a day: their file has a row of its own.
inline constexpr std::int64_t kUploadForgottenSeconds = 86'400;

// File systems have names of 255 bytes.
inline constexpr std::size_t kFilenameBytesMax = 255;
// RFC 6838 has 127 characters on either side of the slash.
inline constexpr std::size_t kMimeTypeBytesMax = 255;
// A file's id has 128 random bits: nobody guesses another project's.
inline constexpr std::size_t kFileIdBytes = 16;

// What a project may store where no setting says otherwise: a tenth of a small server's disk.
inline constexpr std::int64_t kProjectBytesMax = std::int64_t{100} << 30;

static_assert(kUploadPartsMax * kPartBytesMax > kUploadPartsBytesMax);
static_assert(kUploadBytesMax >= kFileBytesMax);

}  // namespace plinth::governance
