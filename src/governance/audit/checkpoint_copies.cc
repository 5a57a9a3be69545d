#include "governance/audit/checkpoint_copies.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "governance/audit/lines.h"
#include "governance/audit_limits.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kPemBytesMax = 4096;
// A line takes some 400 bytes.
constexpr off_t kTailBytes = 64 << 10;

}  // namespace

absl::StatusOr<CheckpointCopies> CheckpointCopies::open(const std::string& folder,
                                                        const VerifyingKey& key) {
  RETURN_IF_ERROR(base::make_folders(folder, 0700));
  const auto stem = folder + "/" + key.id();
  if (const auto pem = base::read_file(stem + ".pem", kPemBytesMax);
      !pem.ok() || *pem != key.pem()) {
    RETURN_IF_ERROR(base::write_file_atomic(stem + ".pem", key.pem()));
  }
  const auto path = stem + ".jsonl";
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd.valid()) return base::errno_status(errno, path);
  RETURN_IF_ERROR(base::sync_folder(folder));
  CheckpointCopies copies(path, std::move(fd));
  RETURN_IF_ERROR(copies.read_end());
  return copies;
}

absl::Status CheckpointCopies::read_end() {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return base::errno_status(errno, path_);
  const auto begin = std::max<off_t>(0, info.st_size - kTailBytes);
  std::string tail(static_cast<std::size_t>(info.st_size - begin), '\0');
  if (::pread(fd_.get(), tail.data(), tail.size(), begin) != static_cast<ssize_t>(tail.size()))
    return base::errno_status(errno, path_);
  const auto end = tail.rfind('\n');
  const auto whole = end == std::string::npos ? 0 : end + 1;
  if (whole == 0 && begin > 0) return base::data_loss(path_ + ": ends with no line");
  if (whole != tail.size() && ::ftruncate(fd_.get(), begin + static_cast<off_t>(whole)) != 0) {
    return base::errno_status(errno, path_);
  }
  if (whole == 0) return absl::OkStatus();
  const auto line = std::string_view(tail).substr(0, end);
  const auto parsed = parse_checkpoint_line(line.substr(line.rfind('\n') + 1));
  if (!parsed.ok()) return base::annotate(parsed.status(), path_ + ": the last line");
  last_ = parsed->checkpoint;
  return absl::OkStatus();
}

absl::Status CheckpointCopies::append(const std::vector<SignedCheckpoint>& checkpoints) {
  if (checkpoints.empty()) return absl::OkStatus();
  std::string lines;
  for (const auto& one : checkpoints) lines += checkpoint_line(one.text, one.signature) + "\n";
  // One write: what another process appends to a shared file does not come in between.
  const auto written = ::write(fd_.get(), lines.data(), lines.size());
  if (written != static_cast<ssize_t>(lines.size())) {
    const auto error = written < 0 ? errno : ENOSPC;
    RETURN_IF_ERROR(read_end());
    return base::errno_status(error, path_);
  }
  if (::fsync(fd_.get()) != 0) return base::errno_status(errno, path_);
  last_ = checkpoints.back().checkpoint;
  return absl::OkStatus();
}

absl::StatusOr<CheckpointFolder> read_checkpoint_folder(
    const std::string& folder,
    const std::function<absl::Status(std::string_view, const std::string&)>& take) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> paths;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    paths.push_back(at->path().string());
  if (error) return base::errno_status(error.value(), folder);
  std::sort(paths.begin(), paths.end());
  CheckpointFolder found;
  for (const auto& path : paths) {
    if (path.ends_with(".pem")) {
      ASSIGN_OR_RETURN(const auto pem, base::read_file(path, kPemBytesMax));
      auto key = VerifyingKey::parse(pem);
      if (!key.ok()) return base::annotate(key.status(), path);
      found.keys.push_back(*std::move(key));
    } else if (path.ends_with(".jsonl")) {
      RETURN_IF_ERROR(read_lines(path, [&](std::string_view line, std::int64_t number) {
        return take(line, fmt::format("{}:{}", path, number));
      }));
    }
  }
  return found;
}

}  // namespace plinth::governance
