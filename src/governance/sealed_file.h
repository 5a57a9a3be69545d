// Files of any length that are sealed in chunks as they are written: STREAM (Hoang, Reyhanitabar,
// Rogaway, Vizár, "Online authenticated-encryption and its nonce-reuse misuse-resistance", CRYPTO
// 2015). A chunk that is cut off, added, moved or taken from another file is found.
//
//   bytes 0-7    "PLNTFIL" and the version, 1
//   bytes 8-23   id of the data key
//   bytes 24-47  salt
//   the rest     chunks of 64 KiB and their tags; the last one may be shorter. Nonce: 7 zeros, the
//                chunk's number (4 bytes, big-endian), 1 for the last chunk and else 0. Each is
//                bound to bytes 0-47 and to where the file belongs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/storage.h"
#include "governance/random_bytes.h"
#include "governance/sealed_for.h"

namespace plinth::governance {

class KeyBytes;

// A data key and its id, 32 hex digits. Copies share it; the last one wipes it.
struct DataKey {
  std::string id;
  std::shared_ptr<const KeyBytes> bytes;  // shared: a writer may outlive what the vault remembers
};

// Opens one sealed file as it lies now, and nothing else: for a process that has no vault.
struct FileKey {
  std::string head;                       // its bytes 0-47: sealed anew it has others
  std::shared_ptr<const KeyBytes> bytes;  // the file's own key; shared as that of a DataKey
  std::string bound_to;                   // where it belongs
};
// To send it, and back. InvalidArgument where it is none.
std::string to_bytes(const FileKey& key);
absl::StatusOr<FileKey> parse_file_key(std::string_view bytes);
// Of the file at `path`; `find` is asked for the data key that its head names.
using FindDataKey = std::function<absl::StatusOr<DataKey>(const std::string& id)>;
absl::StatusOr<FileKey> file_key(const std::string& path, const FindDataKey& find,
                                 const SealedFor& place);

// Not thread-safe. What has not been finished leaves nothing behind.
class SealedFileWriter {
 public:
  // Writes to path.RANDOM.partial; the file has its name once it is whole and durable.
  static absl::StatusOr<SealedFileWriter> open(const std::string& path, const DataKey& key,
                                               const SealedFor& place, const RandomBytes& random);
  SealedFileWriter(SealedFileWriter&&) noexcept;
  SealedFileWriter& operator=(SealedFileWriter&&) = delete;
  ~SealedFileWriter();

  absl::Status write(std::string_view plain);
  enum class Place : std::uint8_t { new_file, replace };
  // Mode 0600. AlreadyExists where a new file would take the place of one. Nothing may be written
  // afterwards.
  absl::Status finish(Place place = Place::new_file);

  std::uint64_t plain_bytes() const;
  // Of the sealed file, hexadecimal, once it is finished: whether it is whole can be told without
  // its key.
  const std::string& sha256() const;

 private:
  struct Impl;
  explicit SealedFileWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Thread-safe: reads at a place, and shares nothing between calls.
class SealedFileReader {
 public:
  // Checks the last chunk, and with it the length. DataLoss where the file is not what was sealed
  // for that place.
  static absl::StatusOr<SealedFileReader> open(const std::string& path, const DataKey& key,
                                               const SealedFor& place);
  // Aborted where the file was sealed anew since the key was made.
  static absl::StatusOr<SealedFileReader> open(const std::string& path, const FileKey& key);
  SealedFileReader(SealedFileReader&&) noexcept;
  SealedFileReader& operator=(SealedFileReader&&) = delete;
  ~SealedFileReader();

  std::uint64_t plain_bytes() const;
  // Up to `count` bytes from `at` on: fewer only at the end. Opens the chunks that they lie in.
  absl::StatusOr<std::string> read(std::uint64_t at, std::size_t count) const;

 private:
  struct Impl;
  explicit SealedFileReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The plain bytes of a whole file, by to_bytes() of its key. As SealedFileReader::open().
absl::StatusOr<base::FileBytes> read_sealed_file(const std::string& path, std::string_view key);

// Id of the data key of a sealed file. DataLoss where it is none of a version that is known;
// Aborted where it does not begin with `head`, "" = whatever.
absl::StatusOr<std::string> sealed_file_key(const std::string& path, std::string_view head = "");

}  // namespace plinth::governance
