// The files of one folder, sealed under a key of their own: what a process keeps that has no vault,
// a job of training, say. Whoever has the vault keeps that key.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/storage.h"
#include "governance/sealed_file.h"

namespace plinth::governance {

// Raw bytes of such a key.
inline constexpr std::size_t kStorageKeyBytes = 32;

// Thread-safe. Each file is bound to its path below the folder: one that takes another's place does
// not open. The folder itself may move.
class SealedStorage final : public base::Storage {
 public:
  // InvalidArgument where `key` has not kStorageKeyBytes.
  static absl::StatusOr<std::unique_ptr<SealedStorage>> open(
      const std::string& folder, std::string_view key, RandomBytes random = system_random_bytes);

  absl::StatusOr<std::unique_ptr<base::FileSink>> create(const std::string& path) const override;
  // What lies there plain, as versions before this one wrote it, is read as it is. DataLoss where a
  // sealed file is damaged, or is another's.
  absl::StatusOr<base::FileBytes> read(const std::string& path) const override;

 private:
  SealedStorage(std::string folder, DataKey key, RandomBytes random)
      : folder_(std::move(folder)), key_(std::move(key)), random_(std::move(random)) {}
  absl::StatusOr<SealedFor> place_of(const std::string& path) const;

  const std::string folder_;
  const DataKey key_;
  const RandomBytes random_;
};

}  // namespace plinth::governance
