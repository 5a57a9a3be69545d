#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/file.h"
#include "governance/master_key.h"
#include "governance/vault/overwrite.h"
#include "governance/vault/sealed_box.h"

namespace plinth::governance {

namespace {

namespace fs = std::filesystem;

std::string hex(std::string_view bytes) { return absl::BytesToHexString(base::to_absl(bytes)); }

std::string id_of(const KeyBytes& key) {
  return hex(derive_key(key, "", "plinth master key id").view().substr(0, kKeyIdBytes));
}

absl::StatusOr<KeyBytes> read_key(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::errno_status(errno, path);
  if ((info.st_mode & 077) != 0) {
    return base::failed_precondition(
        fmt::format("{} has mode {:04o}: a master key that others may read is none; look who could"
                    " have, then chmod 600 it",
                    path, info.st_mode & 07777));
  }
  ASSIGN_OR_RETURN(auto bytes, base::read_file(path, 2 * KeyBytes::kSize));
  if (bytes.size() != KeyBytes::kSize) {
    return base::failed_precondition(fmt::format(
        "{} has {} bytes instead of {}: it is damaged; put the backup of secrets/ in its"
        " place",
        path, bytes.size(), KeyBytes::kSize));
  }
  auto key = KeyBytes::of(bytes);
  wipe(bytes);
  return key;
}

class FileMasterKey final : public MasterKey {
 public:
  FileMasterKey(std::string path, RandomBytes random)
      : path_(std::move(path)), random_(std::move(random)) {}

  absl::Status open() {
    std::lock_guard lock(mutex_);
    auto key = read_key(path_);
    if (absl::IsNotFound(key.status())) {
      ASSIGN_OR_RETURN(key, KeyBytes::make(random_));
      RETURN_IF_ERROR(base::write_file_atomic(path_, key->view(), 0600));
    }
    RETURN_IF_ERROR(key.status());
    current_ = id_of(*key);
    keys_.emplace(current_, *key);
    return read_former();
  }

  std::string id() const override {
    std::lock_guard lock(mutex_);
    return current_;
  }

  std::vector<std::string> generations() const override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> ids{current_};
    for (const auto& [id, key] : keys_) {
      if (id != current_) ids.push_back(id);
    }
    return ids;
  }

  absl::StatusOr<std::string> wrap(const SealedFor& place, std::string_view plain) const override {
    std::lock_guard lock(mutex_);
    return seal_box(keys_.at(current_), absl::HexStringToBytes(current_), place, plain, random_);
  }

  absl::StatusOr<std::string> unwrap(const SealedFor& place,
                                     std::string_view wrapped) const override {
    ASSIGN_OR_RETURN(const auto id, wrapped_by(wrapped));
    std::lock_guard lock(mutex_);
    const auto key = keys_.find(id);
    if (key == keys_.end()) {
      return base::failed_precondition(fmt::format(
          "the master key {} is not here ({} is): put the backup of secrets/ in its place", id,
          current_));
    }
    return open_box(key->second, place, wrapped);
  }

  absl::Status renew() override {
    std::lock_guard lock(mutex_);
    ASSIGN_OR_RETURN(const auto key, KeyBytes::make(random_));
    const auto id = id_of(key);
    // Both stand under names of their own before the current one changes: a crash leaves each.
    RETURN_IF_ERROR(
        base::write_file_atomic(path_ + "." + current_, keys_.at(current_).view(), 0600));
    RETURN_IF_ERROR(base::write_file_atomic(path_, key.view(), 0600));
    keys_.emplace(id, key);
    current_ = id;
    return absl::OkStatus();
  }

  absl::Status forget(const std::string& id) override {
    std::lock_guard lock(mutex_);
    if (id == current_) return base::invalid_argument("[vault] the current master key stays");
    if (keys_.erase(id) == 0) return base::not_found("No such master key: " + id);
    return overwrite_and_remove(path_ + "." + id);
  }

 private:
  absl::Status read_former() {
    const fs::path path(path_);
    const auto prefix = path.filename().string() + ".";
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path.parent_path(), error)) {
      const auto name = entry.path().filename().string();
      if (!name.starts_with(prefix)) continue;
      const auto id = name.substr(prefix.size());
      // What a crash left of a file that was being written has no id for a name.
      if (id.size() != 2 * kKeyIdBytes) continue;
      ASSIGN_OR_RETURN(const auto key, read_key(entry.path()));
      if (id_of(key) != id)
        return base::failed_precondition(entry.path().string() + " is not the key of its name");
      keys_.emplace(id, key);
    }
    return absl::OkStatus();
  }

  const std::string path_;
  const RandomBytes random_;
  mutable std::mutex mutex_;
  std::string current_;                   // protected by mutex_, as is keys_
  std::map<std::string, KeyBytes> keys_;  // by id
};

}  // namespace

absl::StatusOr<std::string> wrapped_by(std::string_view wrapped) {
  ASSIGN_OR_RETURN(const auto id, box_key_id(wrapped));
  return hex(id);
}

absl::StatusOr<std::unique_ptr<MasterKey>> open_master_key_file(const std::string& path,
                                                                const RandomBytes& random) {
  RETURN_IF_ERROR(base::make_folders(fs::path(path).parent_path(), 0700));
  auto key = std::make_unique<FileMasterKey>(path, random);
  RETURN_IF_ERROR(key->open());
  return key;
}

}  // namespace plinth::governance
