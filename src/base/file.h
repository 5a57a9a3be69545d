// Files: owned descriptors, read-only mappings, whole-file reads, atomic durable writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace plinth::base {

// Owns a descriptor; closes it. Move-only.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// A whole file mapped read-only and private. Move-only; immutable, so safe to share by reference.
// A file that another process truncates while mapped raises SIGBUS: callers map only files that
// this home owns (content-addressed blobs) or that the user named.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> open(const std::string& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// The pages of a file's mapping leave this process's memory; who reads them again gets them from
// the file. Not for other memory, which would lose its contents.
void release_pages(std::span<const std::uint8_t> mapping);

// The whole file; ResourceExhausted where it is longer than bytes_max.
absl::StatusOr<std::string> read_file(const std::string& path, std::size_t bytes_max);

// Writes beside `path`, fsyncs, renames over it and fsyncs the folder: after OK the content
// survives power loss, and no reader ever sees half of it. `mode` as chmod.
absl::Status write_file_atomic(const std::string& path, std::string_view content,
                               unsigned mode = 0644);

// mkdir -p with the given mode for folders that are made.
absl::Status make_folders(const std::string& path, unsigned mode = 0755);

// fsync of a folder, so that a rename or a creation in it is durable.
absl::Status sync_folder(const std::string& path);

}  // namespace plinth::base
