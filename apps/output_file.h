// A file that a command writes piece by piece and that appears whole, or standard output.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth {

// Move-only. What is not finished leaves nothing behind.
class OutputFile {
 public:
  // "-" is standard output. A file of that name is replaced at finish(), not before.
  static absl::StatusOr<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  absl::Status write(std::string_view text);
  // Durable after OK.
  absl::Status finish();

 private:
  OutputFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  std::string arriving() const { return path_ + ".partial"; }
  std::string path_;  // "" = standard output
  std::FILE* file_ = nullptr;
};

}  // namespace plinth
