// Content-addressed files: blobs/sha256/ab/ab12... holds exactly the bytes of that digest.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::store {

// Safe with any number of processes on one folder: files arrive by rename and never change.
class BlobStore {
 public:
  static absl::StatusOr<BlobStore> open(const std::string& folder);
  // Where the blob is or would be.
  std::string path(const std::string& sha256) const;
  bool has(const std::string& sha256) const;
  // Unfinished downloads, on the same file system so that adopt() is a rename.
  std::string partial_folder() const { return folder_ + "/partial"; }
  // Takes over `file` (fsync, read-only mode, rename, fsync of the folder). The caller has checked
  // that its sha256 is the given one.
  absl::Status adopt(const std::string& file, const std::string& sha256) const;
  absl::Status remove(const std::string& sha256) const;

 private:
  explicit BlobStore(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

}  // namespace plinth::store
