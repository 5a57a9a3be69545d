// One file from one URL, resumed from what an earlier attempt left.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/status.h"
#include "net/http_client.h"

namespace plinth::cluster {

// An exclusive lock on `path` + ".lock", held for the life of the object; waits for its holder,
// after telling so through `waiting`. The kernel releases it when the holder dies.
class FileLock {
 public:
  static absl::StatusOr<FileLock> wait(const std::string& path,
                                       const std::function<void()>& waiting);
  // Nothing where another holds it.
  static std::optional<FileLock> attempt(const std::string& path);

 private:
  explicit FileLock(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

struct Downloaded {
  std::string stated_sha256;    // from the server's headers, or ""
  std::string stated_git_blob;  // the same: git's digest of a small file of a repository
  bool resumed = false;         // the first bytes came with an earlier answer
  bool present = false;         // `have` knew the stated sha256: nothing was downloaded
};

// Appends to `part` from its present end, or replaces it where the server cannot go on there.
// `total` may be 0 when it is not known. `have` is asked for the sha256 that the server states
// before the body is taken. ResourceExhausted where the disk is or would become full.
absl::StatusOr<Downloaded> download_to(
    net::HttpClient& http, const std::string& url, const std::vector<std::string>& headers,
    const std::string& part, std::uint64_t total,
    const std::function<bool(const std::string& sha256)>& have,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

}  // namespace plinth::cluster
