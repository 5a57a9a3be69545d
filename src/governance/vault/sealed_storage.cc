#include "governance/sealed_storage.h"

#include "governance/vault/file_format.h"
#include "governance/vault/key_bytes.h"

namespace plinth::governance {

namespace {

constexpr char kKind[] = "stored";

static_assert(kStorageKeyBytes == KeyBytes::kSize);

class SealedSink final : public base::FileSink {
 public:
  explicit SealedSink(SealedFileWriter file) : file_(std::move(file)) {}
  absl::Status write(std::string_view part) override { return file_.write(part); }
  absl::Status commit() override { return file_.finish(SealedFileWriter::Place::replace); }

 private:
  SealedFileWriter file_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SealedStorage>> SealedStorage::open(const std::string& folder,
                                                                   std::string_view key,
                                                                   RandomBytes random) {
  if (key.size() != kStorageKeyBytes) return base::invalid_argument("[vault] no key of a folder");
  ASSIGN_OR_RETURN(const auto bytes, KeyBytes::of(key));
  // It is no data key of the vault: no id of one is so.
  const DataKey own{std::string(2 * kKeyIdBytes, '0'), std::make_shared<const KeyBytes>(bytes)};
  return std::unique_ptr<SealedStorage>(new SealedStorage(folder, own, std::move(random)));
}

absl::StatusOr<SealedFor> SealedStorage::place_of(const std::string& path) const {
  if (!path.starts_with(folder_ + "/"))
    return base::internal("[vault] " + path + " is not in " + folder_);
  return SealedFor{"", "", kKind, path.substr(folder_.size() + 1)};
}

absl::StatusOr<std::unique_ptr<base::FileSink>> SealedStorage::create(
    const std::string& path) const {
  ASSIGN_OR_RETURN(const auto place, place_of(path));
  ASSIGN_OR_RETURN(auto file, SealedFileWriter::open(path, key_, place, random_));
  return std::unique_ptr<base::FileSink>(std::make_unique<SealedSink>(std::move(file)));
}

absl::StatusOr<base::FileBytes> SealedStorage::read(const std::string& path) const {
  ASSIGN_OR_RETURN(const auto place, place_of(path));
  ASSIGN_OR_RETURN(auto as_it_lies, base::map_file(path));
  // Nothing that is kept plain begins so: it is no text, and no length of a header.
  if (!as_it_lies.text().starts_with(kFileMagic)) return as_it_lies;
  ASSIGN_OR_RETURN(const auto reader, SealedFileReader::open(path, key_, place));
  ASSIGN_OR_RETURN(auto plain, reader.read(0, static_cast<std::size_t>(reader.plain_bytes())));
  return base::FileBytes(std::move(plain));
}

}  // namespace plinth::governance
