#include "cluster/pull/download.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "store/sha256.h"

namespace plinth::cluster {

absl::StatusOr<FileLock> FileLock::wait(const std::string& path) {
  const std::string name = path + ".lock";
  base::UniqueFd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return base::errno_status(errno, name);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return base::errno_status(errno, name);
  }
  return FileLock(std::move(fd));
}

namespace {

// Hugging Face states the sha256 of a large file as the quoted x-linked-etag of its redirect.
std::string stated_digest(const net::HttpResponse& response) {
  const auto found = response.headers.find("x-linked-etag");
  if (found == response.headers.end()) return "";
  std::string value = found->second;
  std::erase(value, '"');
  return store::is_sha256_hex(value) ? value : "";
}

std::uint64_t header_number(const net::HttpResponse& response, const char* name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? 0 : std::strtoull(found->second.c_str(), nullptr, 10);
}

}  // namespace

absl::StatusOr<Downloaded> download_to(
    net::HttpClient& http, const std::string& url, const std::vector<std::string>& headers,
    const std::string& part, std::uint64_t total,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  base::UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return base::errno_status(errno, part);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return base::errno_status(errno, part);
  auto done = static_cast<std::uint64_t>(info.st_size);
  if (total != 0 && done == total) return Downloaded{};
  if (total != 0 && done > total) done = 0;
  int write_error = 0;
  const auto begin = [&](const net::HttpResponse& response) {
    if (response.status != 206) done = 0;  // the server sends it all
    if (::ftruncate(fd.get(), static_cast<off_t>(done)) != 0) write_error = errno;
    if (total == 0) {
      const auto rest = header_number(response, "content-length");
      if (rest != 0) total = done + rest;
    }
    return write_error == 0;
  };
  const auto sink = [&](std::string_view piece) {
    while (!piece.empty()) {
      const ssize_t n = ::pwrite(fd.get(), piece.data(), piece.size(), static_cast<off_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        write_error = errno;
        return false;
      }
      done += static_cast<std::uint64_t>(n);
      piece.remove_prefix(static_cast<std::size_t>(n));
    }
    progress(done, total);
    return true;
  };
  const auto response = http.download(url, headers, done, begin, sink);
  if (write_error != 0) return base::errno_status(write_error, part);
  RETURN_IF_ERROR(response.status());
  return Downloaded{stated_digest(*response)};
}

}  // namespace plinth::cluster
