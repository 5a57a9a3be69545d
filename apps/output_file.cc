#include "apps/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/file.h"

namespace plinth {

absl::StatusOr<OutputFile> OutputFile::create(const std::string& path) {
  if (path == "-") return OutputFile("", stdout);
  OutputFile made(path, nullptr);
  made.file_ = std::fopen(made.arriving().c_str(), "we");
  if (made.file_ == nullptr) return base::errno_status(errno, made.arriving());
  return made;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, nullptr)) {}

OutputFile::~OutputFile() {
  if (file_ == nullptr || path_.empty()) return;
  std::fclose(file_);
  ::unlink(arriving().c_str());
}

absl::Status OutputFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) == text.size()) return absl::OkStatus();
  return base::errno_status(errno, path_.empty() ? "standard output" : path_);
}

absl::Status OutputFile::finish() {
  const std::string name = path_.empty() ? "standard output" : path_;
  if (std::fflush(file_) != 0) return base::errno_status(errno, name);
  if (path_.empty()) return absl::OkStatus();
  if (::fsync(::fileno(file_)) != 0) return base::errno_status(errno, name);
  std::fclose(std::exchange(file_, nullptr));
  if (::rename(arriving().c_str(), path_.c_str()) != 0) return base::errno_status(errno, name);
  const auto folder = std::filesystem::path(path_).parent_path().string();
  return base::sync_folder(folder.empty() ? "." : folder);
}

}  // namespace plinth
