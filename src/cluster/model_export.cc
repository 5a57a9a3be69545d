#include "cluster/model_export.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/file.h"
#include "store/sha256.h"

namespace plinth::cluster {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1u << 20;

// Takes the files of a model one after the other.
class Target {
 public:
  virtual ~Target() = default;
  virtual absl::Status begin(const std::string& path, std::uint64_t bytes) = 0;
  virtual absl::Status write(std::span<const char> piece) = 0;
  virtual absl::Status end() = 0;
};

class FolderTarget final : public Target {
 public:
  explicit FolderTarget(fs::path folder) : folder_(std::move(folder)) {}
  absl::Status begin(const std::string& path, std::uint64_t) override {
    path_ = (folder_ / path).string();
    RETURN_IF_ERROR(base::make_folders(fs::path(path_).parent_path().string()));
    fd_ = base::UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    return fd_.valid() ? absl::OkStatus() : base::errno_status(errno, path_);
  }
  absl::Status write(std::span<const char> piece) override {
    while (!piece.empty()) {
      const ssize_t n = ::write(fd_.get(), piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return base::errno_status(errno, path_);
      piece = piece.subspan(static_cast<std::size_t>(n));
    }
    return absl::OkStatus();
  }
  absl::Status end() override {
    return ::fsync(fd_.get()) == 0 ? absl::OkStatus() : base::errno_status(errno, path_);
  }

 private:
  const fs::path folder_;
  std::string path_;
  base::UniqueFd fd_;
};

class TarTarget final : public Target {
 public:
  TarTarget(std::string path, std::string prefix)
      : path_(std::move(path)), prefix_(std::move(prefix)) {}
  absl::Status open() {
    // pax: sizes over 8 GiB.
    archive_write_set_format_pax_restricted(archive_.get());
    return checked(archive_write_open_filename(archive_.get(), path_.c_str()));
  }
  absl::Status begin(const std::string& path, std::uint64_t bytes) override {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    archive_entry_set_pathname(entry.get(), (prefix_ + "/" + path).c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    return checked(archive_write_header(archive_.get(), entry.get()));
  }
  absl::Status write(std::span<const char> piece) override {
    const auto n = archive_write_data(archive_.get(), piece.data(), piece.size());
    return n == static_cast<la_ssize_t>(piece.size()) ? absl::OkStatus() : checked(ARCHIVE_FATAL);
  }
  absl::Status end() override { return absl::OkStatus(); }
  absl::Status close() { return checked(archive_write_close(archive_.get())); }

 private:
  absl::Status checked(int code) const {
    if (code == ARCHIVE_OK) return absl::OkStatus();
    const int error = archive_errno(archive_.get());
    if (error > 0) return base::errno_status(error, path_);
    const char* why = archive_error_string(archive_.get());
    return base::unavailable(fmt::format("{}: {}", path_, why == nullptr ? "write failed" : why));
  }

  const std::string path_;
  const std::string prefix_;
  const std::unique_ptr<archive, int (*)(archive*)> archive_{archive_write_new(),
                                                             archive_write_free};
};

absl::Status copy_file(const std::string& from, const InstalledFile& file, Target& target,
                       std::uint64_t& done, const std::function<void(std::uint64_t)>& progress) {
  base::UniqueFd fd(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::errno_status(errno, from);
  RETURN_IF_ERROR(target.begin(file.path, file.bytes));
  store::Sha256 digest;
  std::vector<char> buffer(kPieceBytes);
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::errno_status(errno, from);
    if (n == 0) break;
    const std::span<const char> piece(buffer.data(), static_cast<std::size_t>(n));
    digest.update(piece);
    RETURN_IF_ERROR(target.write(piece));
    progress(done += piece.size());
  }
  const std::string hex = digest.hex();
  if (hex != file.sha256) {
    return base::data_loss(fmt::format("{}: sha256 is {}, not {}", file.path, hex, file.sha256));
  }
  return target.end();
}

// `file` becomes what it is outside: a plain one.
absl::Status copy_sealed(const ReadSealed& read, InstalledFile& file, Target& target) {
  if (read == nullptr) return base::failed_precondition(file.path + " is sealed");
  ASSIGN_OR_RETURN(const auto plain, read(file.content));
  const std::span<const char> bytes(plain.text().data(), plain.text().size());
  RETURN_IF_ERROR(target.begin(file.path, bytes.size()));
  RETURN_IF_ERROR(target.write(bytes));
  store::Sha256 digest;
  digest.update(bytes);
  file.sha256 = digest.hex();
  file.content.clear();
  return target.end();
}

absl::Status copy_all(const ModelLibrary& library, InstalledModel model, Target& target,
                      const std::function<void(std::uint64_t)>& progress, const ReadSealed& read) {
  std::uint64_t done = 0;
  for (auto& file : model.files) {
    if (file.content.empty()) {
      RETURN_IF_ERROR(copy_file(library.blobs().path(file.sha256), file, target, done, progress));
      continue;
    }
    RETURN_IF_ERROR(copy_sealed(read, file, target));
    progress(done += file.bytes);
  }
  const std::string manifest = manifest_text(model);
  RETURN_IF_ERROR(target.begin(kManifestName, manifest.size()));
  RETURN_IF_ERROR(target.write(manifest));
  return target.end();
}

}  // namespace

absl::Status export_model(const ModelLibrary& library, const InstalledModel& model,
                          const std::string& target,
                          const std::function<void(std::uint64_t)>& progress,
                          const ReadSealed& read) {
  std::error_code error;
  if (fs::exists(target, error) &&
      !(fs::is_directory(target, error) && fs::is_empty(target, error))) {
    return absl::AlreadyExistsError(base::to_absl(target + ": is already there"));
  }
  absl::Status status;
  if (target.ends_with(".tar")) {
    TarTarget tar(target, model.name);
    status = tar.open();
    if (status.ok()) status = copy_all(library, model, tar, progress, read);
    if (status.ok()) status = tar.close();
  } else {
    FolderTarget folder(target);
    status = copy_all(library, model, folder, progress, read);
  }
  if (!status.ok()) fs::remove_all(target, error);
  return status;
}

}  // namespace plinth::cluster
