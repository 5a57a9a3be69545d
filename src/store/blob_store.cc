#include "store/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "store/sha256.h"

namespace plinth::store {

absl::StatusOr<BlobStore> BlobStore::open(const std::string& folder) {
  RETURN_IF_ERROR(base::make_folders(folder + "/sha256"));
  RETURN_IF_ERROR(base::make_folders(folder + "/partial"));
  return BlobStore(folder);
}

std::string BlobStore::path(const std::string& sha256) const {
  CHECK(is_sha256_hex(sha256));
  return folder_ + "/sha256/" + sha256.substr(0, 2) + "/" + sha256;
}

bool BlobStore::has(const std::string& sha256) const {
  std::error_code error;
  return std::filesystem::is_regular_file(path(sha256), error);
}

absl::Status BlobStore::adopt(const std::string& file, const std::string& sha256) const {
  const std::string target = path(sha256);
  const std::string parent = std::filesystem::path(target).parent_path();
  RETURN_IF_ERROR(base::make_folders(parent));
  base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::errno_status(errno, file);
  if (::fchmod(fd.get(), 0444) != 0 || ::fsync(fd.get()) != 0) {
    return base::errno_status(errno, file);
  }
  if (::rename(file.c_str(), target.c_str()) != 0) return base::errno_status(errno, target);
  return base::sync_folder(parent);
}

absl::Status BlobStore::remove(const std::string& sha256) const {
  if (::unlink(path(sha256).c_str()) != 0 && errno != ENOENT) {
    return base::errno_status(errno, path(sha256));
  }
  return absl::OkStatus();
}

}  // namespace plinth::store
