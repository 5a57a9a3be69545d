#include "apps/home_content.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "governance/content_list.h"
#include "governance/content_store.h"
#include "governance/vault_limits.h"
#include "store/sha256.h"

namespace plinth {

namespace {

namespace fs = std::filesystem;

// Each try copies what changed since the one before it. Deletions and new keys are seldom; who
// meets five in a row should know.
constexpr int kSnapshots = 5;
// A million files.
constexpr std::size_t kListBytesMax = std::size_t{1} << 28;
constexpr std::size_t kCopyBytes = 1u << 20;

absl::Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::errno_status(errno, path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

// What was read while it was written, so that the digest is of the copy.
absl::StatusOr<std::string> copy_bytes(const std::string& from, const std::string& to) {
  const base::UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source.valid()) return base::errno_status(errno, from);
  const base::UniqueFd target(
      ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!target.valid()) return base::errno_status(errno, to);
  store::Sha256 digest;
  std::vector<char> buffer(kCopyBytes);
  for (;;) {
    const auto count = ::read(source.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::errno_status(errno, from);
    if (count == 0) break;
    const std::string_view part(buffer.data(), static_cast<std::size_t>(count));
    digest.update(part);
    RETURN_IF_ERROR(write_all(target.get(), part, to));
  }
  if (::fsync(target.get()) != 0) return base::errno_status(errno, to);
  return digest.hex();
}

// The file has its name once it is whole, durable and what `sha256` says. DataLoss where it is not;
// AlreadyExists where there is one of the name.
absl::Status copy_file(const std::string& from, const std::string& to, const std::string& sha256) {
  const auto folder = fs::path(to).parent_path().string();
  RETURN_IF_ERROR(base::make_folders(folder, 0700));
  // No id has a dot: what a crash leaves is swept as no content.
  const auto arriving = to + ".partial";
  auto digest = copy_bytes(from, arriving);
  auto status = digest.status();
  if (status.ok() && *digest != sha256)
    status =
        base::data_loss(fmt::format("[backup] {} has sha256 {}, not {}", from, *digest, sha256));
  if (status.ok() && ::link(arriving.c_str(), to.c_str()) != 0)
    status = base::errno_status(errno, to);
  ::unlink(arriving.c_str());
  RETURN_IF_ERROR(status);
  return base::sync_folder(folder);
}

using Digests = std::map<std::string, std::string>;

// Leaves in `copied` what is as `wanted` says. Returns the first file that could not be had.
absl::StatusOr<std::string> copy_missing(const std::string& content_folder,
                                         const std::string& backup,
                                         const std::vector<store::CopiedContent>& wanted,
                                         Digests& copied) {
  const auto into = backup + "/content";
  Digests now;
  for (const auto& file : wanted) now.emplace(file.id, file.sha256);
  for (auto at = copied.begin(); at != copied.end();) {
    const auto still = now.find(at->first);
    if (still != now.end() && still->second == at->second) {
      ++at;
      continue;
    }
    ::unlink(governance::content_path(into, at->first).c_str());
    at = copied.erase(at);
  }
  std::string failed;
  for (const auto& [id, sha256] : now) {
    if (copied.contains(id)) continue;
    const auto from = governance::content_path(content_folder, id);
    const auto status = copy_file(from, governance::content_path(into, id), sha256);
    if (status.ok()) {
      copied.emplace(id, sha256);
    } else if (!absl::IsNotFound(status) && !absl::IsDataLoss(status)) {
      return status;
    } else if (failed.empty()) {
      failed = std::string(base::message(status));
    }
  }
  return failed;
}

}  // namespace

absl::Status copy_content(
    const std::string& content_folder, const std::string& backup,
    const std::function<absl::StatusOr<std::vector<store::CopiedContent>>()>& snapshot) {
  Digests copied;
  std::string failed;
  for (int i = 0; i < kSnapshots; ++i) {
    ASSIGN_OR_RETURN(const auto wanted, snapshot());
    ASSIGN_OR_RETURN(failed, copy_missing(content_folder, backup, wanted, copied));
    if (!failed.empty()) continue;
    std::string list;
    for (const auto& [id, sha256] : copied) list += governance::content_line({id, sha256});
    return base::write_file_atomic(backup + "/" + kContentList, list, 0600);
  }
  return base::unavailable(fmt::format(
      "the sealed files were never as the database names them: {}. Try again; --no-content leaves"
      " them out",
      failed));
}

absl::StatusOr<std::vector<store::CopiedContent>> verify_content(const std::string& backup) {
  std::vector<store::CopiedContent> files;
  ASSIGN_OR_RETURN(const auto text, base::read_file(backup + "/" + kContentList, kListBytesMax));
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ASSIGN_OR_RETURN(auto file, governance::parse_content_line(line));
    const auto path = governance::content_path(backup + "/content", file.id);
    const auto digest = store::sha256_file(path);
    if (absl::IsNotFound(digest.status()))
      return base::data_loss("[backup] " + path + " is missing");
    RETURN_IF_ERROR(digest.status());
    if (*digest != file.sha256) {
      return base::data_loss(fmt::format("[backup] {} was changed: its sha256 is {}, not {}", path,
                                         *digest, file.sha256));
    }
    files.push_back(std::move(file));
  }
  return files;
}

absl::Status refuse_other_content(const std::vector<store::CopiedContent>& files,
                                  const std::string& content_folder) {
  for (const auto& file : files) {
    const auto path = governance::content_path(content_folder, file.id);
    const auto digest = store::sha256_file(path);
    if (absl::IsNotFound(digest.status())) continue;
    RETURN_IF_ERROR(digest.status());
    if (*digest != file.sha256)
      return base::failed_precondition(path + " is there already: nothing is overwritten");
  }
  return absl::OkStatus();
}

absl::Status restore_content(const std::string& backup,
                             const std::vector<store::CopiedContent>& files,
                             const std::string& content_folder) {
  for (const auto& file : files) {
    const auto status = copy_file(governance::content_path(backup + "/content", file.id),
                                  governance::content_path(content_folder, file.id), file.sha256);
    if (absl::IsAlreadyExists(status)) continue;
    RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

}  // namespace plinth
