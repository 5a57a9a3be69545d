#include "base/new_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace plinth::base {

absl::StatusOr<NewFile> NewFile::create(const std::string& path) {
  auto part = fmt::format("{}.part{}", path, ::getpid());
  UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return errno_status(errno, part);
  return NewFile(std::move(fd), std::move(part), path);
}

NewFile::~NewFile() {
  if (!part_.empty()) ::unlink(part_.c_str());
}

absl::Status NewFile::write(std::string_view part) {
  while (!part.empty()) {
    const auto written = ::write(fd_.get(), part.data(), part.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_status(errno, path_);
    part.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status NewFile::commit() {
  if (::fsync(fd_.get()) != 0) return errno_status(errno, path_);
  if (::rename(part_.c_str(), path_.c_str()) != 0) return errno_status(errno, path_);
  part_.clear();
  const auto folder = std::filesystem::path(path_).parent_path().string();
  return sync_folder(folder.empty() ? "." : folder);
}

}  // namespace plinth::base
