#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

namespace plinth::base {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

absl::StatusOr<MappedFile> MappedFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_status(errno, path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_status(errno, path);
  if (!S_ISREG(info.st_mode)) return invalid_argument(path + ": not a regular file");
  MappedFile file;
  file.size_ = static_cast<std::size_t>(info.st_size);
  if (file.size_ == 0) return file;
  void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return errno_status(errno, path + ": mmap");
  file.data_ = static_cast<const std::uint8_t*>(data);
  return file;
}

void release_pages(std::span<const std::uint8_t> mapping) {
  // Advice: where the kernel does not take it, the pages stay.
  (void)::madvise(const_cast<std::uint8_t*>(mapping.data()), mapping.size(), MADV_DONTNEED);
}

absl::StatusOr<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_status(errno, path);
  std::string content;
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_status(errno, path);
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > bytes_max) {
      return resource_exhausted(fmt::format("{}: over the limit of {} bytes", path, bytes_max));
    }
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

absl::Status write_file_atomic(const std::string& path, std::string_view content, unsigned mode) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary = fmt::format("{}.{}.{}.tmp", path, ::getpid(), counter.fetch_add(1));
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid()) return errno_status(errno, temporary);
  const auto fail = [&](int error) {
    ::unlink(temporary.c_str());
    return errno_status(error, path);
  };
  if (::fchmod(fd.get(), mode) != 0) return fail(errno);
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t n = ::write(fd.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno);
    done += static_cast<std::size_t>(n);
  }
  if (::fsync(fd.get()) != 0) return fail(errno);
  fd.reset();
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(errno);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return sync_folder(folder.empty() ? "." : folder);
}

absl::Status make_folders(const std::string& path, unsigned mode) {
  if (path.empty()) return absl::OkStatus();
  std::string built;
  for (const auto& part : std::filesystem::path(path)) {
    built = built.empty() ? part.string() : (std::filesystem::path(built) / part).string();
    if (::mkdir(built.c_str(), mode) != 0 && errno != EEXIST && errno != EISDIR) {
      return errno_status(errno, "mkdir " + built);
    }
  }
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return failed_precondition(path + ": exists and is not a folder");
  }
  return absl::OkStatus();
}

absl::Status sync_folder(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_status(errno, path);
  if (::fsync(fd.get()) != 0) return errno_status(errno, "fsync " + path);
  return absl::OkStatus();
}

}  // namespace plinth::base
