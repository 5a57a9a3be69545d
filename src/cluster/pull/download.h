// One file from one URL, resumed from what an earlier attempt left.
#pragma once

#include <functional>
#include <string>

#include "base/file.h"
#include "base/status.h"
#include "net/http_client.h"

namespace plinth::cluster {

// An exclusive lock on `path` + ".lock", held for the life of the object; waits for its holder.
// The kernel releases it when the holder dies.
class FileLock {
 public:
  static absl::StatusOr<FileLock> wait(const std::string& path);

 private:
  explicit FileLock(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

struct Downloaded {
  std::string stated_sha256;  // from the server's headers, or ""
};

// Appends to `part` from its present end. `total` may be 0 when it is not known.
absl::StatusOr<Downloaded> download_to(
    net::HttpClient& http, const std::string& url, const std::vector<std::string>& headers,
    const std::string& part, std::uint64_t total,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

}  // namespace plinth::cluster
