#include "cluster/pull/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace plinth::cluster {

namespace {

base::UniqueFd open_lock(const std::string& path) {
  return base::UniqueFd(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
}

}  // namespace

std::optional<FileLock> FileLock::attempt(const std::string& path) {
  base::UniqueFd fd = open_lock(path);
  if (!fd.valid() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  return FileLock(std::move(fd));
}

absl::StatusOr<FileLock> FileLock::wait(const std::string& path,
                                        const std::function<void()>& waiting) {
  base::UniqueFd fd = open_lock(path);
  if (!fd.valid()) return base::errno_status(errno, path + ".lock");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(fd));
  waiting();
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return base::errno_status(errno, path + ".lock");
  }
  return FileLock(std::move(fd));
}

namespace {

std::string header(const net::HttpResponse& response, const char* name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? "" : found->second;
}

// Hugging Face states the sha256 of a large file as the quoted x-linked-etag of its redirect, and
// of a small file, which it keeps in git, git's digest as the etag.
std::string quoted_digest(std::string value, std::size_t digits) {
  if (value.starts_with("W/")) value.erase(0, 2);
  std::erase(value, '"');
  const bool hex = std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  return hex && value.size() == digits ? value : "";
}

// A 206 states where it starts: "bytes 4096-8191/8192".
absl::Status check_start(const net::HttpResponse& response, std::uint64_t done) {
  const std::string range = header(response, "content-range");
  if (response.status != 206 || !range.starts_with("bytes ")) return absl::OkStatus();
  if (std::strtoull(range.c_str() + 6, nullptr, 10) == done) return absl::OkStatus();
  return base::unavailable(
      fmt::format("the server answers \"{}\" where byte {} was asked for", range, done));
}

// Room for `bytes` more in the folder of `part`, less what the file system keeps for root.
absl::Status check_room(const std::string& part, std::uint64_t bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(std::filesystem::path(part).parent_path(), error);
  if (error || bytes <= space.available) return absl::OkStatus();
  return base::resource_exhausted(fmt::format("{}: {} MiB more are needed and {} MiB are free",
                                              part, bytes >> 20,
                                              static_cast<std::uint64_t>(space.available) >> 20));
}

std::uint64_t header_number(const net::HttpResponse& response, const char* name) {
  return std::strtoull(header(response, name).c_str(), nullptr, 10);
}

// One transfer into `fd` from byte `done` on.
absl::StatusOr<Downloaded> transfer(
    net::HttpClient& http, const std::string& url, const std::vector<std::string>& headers,
    const base::UniqueFd& fd, const std::string& part, std::uint64_t done, std::uint64_t total,
    const std::function<bool(const std::string& sha256)>& have,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  Downloaded downloaded;
  absl::Status failure;
  const auto begin = [&](const net::HttpResponse& response) {
    if (response.status != 206) done = 0;  // the server sends it all
    downloaded.resumed = done > 0;
    downloaded.stated_sha256 = quoted_digest(header(response, "x-linked-etag"), 64);
    downloaded.present = !downloaded.stated_sha256.empty() && have(downloaded.stated_sha256);
    if (downloaded.present) return false;
    failure = check_start(response, done);
    if (!failure.ok()) return false;
    if (::ftruncate(fd.get(), static_cast<off_t>(done)) != 0) {
      failure = base::errno_status(errno, part);
    }
    const auto rest = header_number(response, "content-length");
    if (total == 0 && rest != 0) total = done + rest;
    if (failure.ok() && total > done) failure = check_room(part, total - done);
    return failure.ok();
  };
  const auto sink = [&](std::string_view piece) {
    while (!piece.empty()) {
      const ssize_t n = ::pwrite(fd.get(), piece.data(), piece.size(), static_cast<off_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        failure = base::errno_status(errno, part);
        return false;
      }
      done += static_cast<std::uint64_t>(n);
      piece.remove_prefix(static_cast<std::size_t>(n));
    }
    progress(done, total);
    return true;
  };
  const auto response = http.download(url, headers, done, begin, sink);
  RETURN_IF_ERROR(failure);
  if (downloaded.present) return downloaded;
  RETURN_IF_ERROR(response.status());
  downloaded.stated_git_blob = quoted_digest(header(*response, "etag"), 40);
  return downloaded;
}

}  // namespace

absl::StatusOr<Downloaded> download_to(
    net::HttpClient& http, const std::string& url, const std::vector<std::string>& headers,
    const std::string& part, std::uint64_t total,
    const std::function<bool(const std::string& sha256)>& have,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  base::UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return base::errno_status(errno, part);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return base::errno_status(errno, part);
  auto done = static_cast<std::uint64_t>(info.st_size);
  if (total != 0 && done == total) return Downloaded{"", "", true, false};
  if (total != 0 && done > total) done = 0;
  auto downloaded = transfer(http, url, headers, fd, part, done, total, have, progress);
  // 416: what is here is all there is, or of another version. Without the digest's header of a
  // whole answer it cannot be told apart.
  if (absl::IsOutOfRange(downloaded.status()) && done > 0) {
    return transfer(http, url, headers, fd, part, 0, total, have, progress);
  }
  return downloaded;
}

}  // namespace plinth::cluster
