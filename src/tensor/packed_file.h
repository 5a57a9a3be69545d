// Packed weights of an earlier start, kept in a file: reading them takes a fraction of packing.
//
// A page of header, the weights of each matrix one after another, then a table with the size and
// the source's digest of each. The header is written last, so that what a writer that died left
// behind is no packed file. It is read and not mapped: decoding wants huge pages, which a mapped
// file does not get, and a file that somebody cuts short is an error here and no SIGBUS.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "base/thread_pool.h"

namespace plinth::tensor {

using SourceDigest = std::array<std::uint8_t, 32>;

struct PackedEntry {
  std::uint64_t bytes = 0;
  SourceDigest source{};
  bool operator==(const PackedEntry&) const = default;
};

// One thread at a time.
class PackedFile {
 public:
  // Opens or creates the file; one that is no packed file, or of another version, has no entries.
  // Needs no further right to open files afterwards.
  static absl::StatusOr<PackedFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::span<const PackedEntry> entries() const { return entries_; }
  // Entry `index` whole, out.size() being its bytes; on the pool's threads where given. DataLoss
  // where the file is too short.
  absl::Status read(std::size_t index, std::span<std::uint8_t> out, base::ThreadPool* pool) const;
  // Replaces all entries. After an error the file has none.
  absl::Status write(std::span<const PackedEntry> entries,
                     std::span<const std::span<const std::uint8_t>> weights);

 private:
  PackedFile(std::string path, base::UniqueFd file)
      : path_(std::move(path)), file_(std::move(file)) {}
  absl::StatusOr<std::vector<PackedEntry>> read_table() const;
  absl::Status write_all(std::span<const PackedEntry> entries,
                         std::span<const std::span<const std::uint8_t>> weights);

  std::string path_;
  base::UniqueFd file_;
  std::vector<PackedEntry> entries_;
  std::vector<std::uint64_t> offsets_;  // of the entries' weights
};

// What the files that go with the model at `path` are called before their dot: its own name and a
// digest of the whole path.
std::string model_cache_name(const std::string& path);

}  // namespace plinth::tensor
