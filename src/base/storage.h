// Where a run keeps its files, and how whole files are read: as they are, or in another form that
// only whoever composes the program knows of (governance/sealed_storage.h has sealed ones).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/file.h"
#include "base/status.h"

namespace plinth::base {

// The bytes of a whole file, mapped or in memory. Move-only; views are of where it lies now.
class FileBytes {
 public:
  explicit FileBytes(MappedFile file) : held_(std::move(file)) {}
  explicit FileBytes(std::string bytes) : held_(std::move(bytes)) {}
  FileBytes(FileBytes&&) = default;
  FileBytes& operator=(FileBytes&&) = default;
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  std::span<const std::uint8_t> bytes() const;
  std::string_view text() const;

 private:
  std::variant<MappedFile, std::string> held_;
};

using ReadFile = std::function<absl::StatusOr<FileBytes>(const std::string& path)>;
// As it lies there.
absl::StatusOr<FileBytes> map_file(const std::string& path);

// A file that is written in parts. What is not committed leaves nothing.
class FileSink {
 public:
  virtual ~FileSink() = default;
  virtual absl::Status write(std::string_view part) = 0;
  // Durable and under its name when this returns OK.
  virtual absl::Status commit() = 0;
};

// Thread-safe.
class Storage {
 public:
  virtual ~Storage() = default;
  // Over what lies there.
  virtual absl::StatusOr<std::unique_ptr<FileSink>> create(const std::string& path) const = 0;
  virtual absl::StatusOr<FileBytes> read(const std::string& path) const = 0;
  // A whole file at once.
  absl::Status write(const std::string& path, std::string_view content) const;
};

// Files as everybody reads them.
const Storage& plain_storage();

}  // namespace plinth::base
