#include "cluster/model_library.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/toml.h"
#include "cluster/sampling_toml.h"
#include "store/sha256.h"

namespace plinth::cluster {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kManifestBytesMax = 4u << 20;  // 20,000 files of a sharded model

// A name that could be a folder of the library: clients choose what is looked for.
bool could_be_installed(const std::string& name) {
  return !name.empty() && !name.starts_with(".") && name.find('/') == std::string::npos;
}

std::string path_to_open(const std::string& folder, const InstalledModel& model) {
  std::string first;
  for (const auto& file : model.files) {
    if (file.path.ends_with(".gguf") && (first.empty() || file.path < first)) first = file.path;
  }
  return folder + (first.empty() ? "" : "/" + first);
}

}  // namespace

bool valid_model_name(std::string_view name) {
  // A folder's name has 255 at most; a tuned model's is its base's, its project's and a suffix.
  constexpr std::size_t kNameBytesMax = 200;
  return !name.empty() && name.size() <= kNameBytesMax && !name.starts_with(".") &&
         !name.starts_with("-") && !name.starts_with(":") &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
         });
}

std::string manifest_text(const InstalledModel& model) {
  toml::array files;
  for (const auto& file : model.files) {
    toml::table entry{{"path", file.path},
                      {"sha256", file.sha256},
                      {"bytes", static_cast<std::int64_t>(file.bytes)}};
    if (!file.content.empty()) entry.insert("content", file.content);
    files.push_back(std::move(entry));
  }
  toml::table manifest{
      {"name", model.name},       {"title", model.title},          {"kind", model.kind},
      {"license", model.license}, {"pulled", model.pulled_unix_s}, {"file", files}};
  if (!model.base.empty()) {
    manifest.insert("base", model.base);
    manifest.insert("base_content", model.base_content);
  }
  std::ostringstream out;
  out << manifest << "\n" << sampling_text(model.sampling);
  return out.str();
}

absl::StatusOr<InstalledModel> read_manifest(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kManifestBytesMax));
  return parse_manifest(text, path);
}

absl::StatusOr<InstalledModel> parse_manifest(std::string_view text, const std::string& path) {
  const auto table = base::parse_toml(text, path);
  if (!table.ok()) return base::data_loss(std::string(base::message(table.status())));
  const toml::table& parsed = *table;
  InstalledModel model;
  model.name = parsed["name"].value_or(std::string());
  model.title = parsed["title"].value_or(std::string());
  model.kind = parsed["kind"].value_or(std::string());
  model.license = parsed["license"].value_or(std::string());
  model.pulled_unix_s = parsed["pulled"].value_or(std::int64_t{0});
  model.base = parsed["base"].value_or(std::string());
  model.base_content = parsed["base_content"].value_or(std::string());
  if (!model.base.empty() && !valid_model_name(model.base)) {
    return base::data_loss(path + ": base is no model's name");
  }
  auto sampling = read_sampling_table(parsed);
  if (!sampling.ok()) {
    return base::data_loss(fmt::format("{}: {}", path, base::message(sampling.status())));
  }
  model.sampling = *std::move(sampling);
  if (const auto* files = parsed["file"].as_array()) {
    for (const auto& node : *files) {
      const auto* entry = node.as_table();
      if (entry == nullptr) return base::data_loss(path + ": file is not a table");
      InstalledFile file;
      file.path = (*entry)["path"].value_or(std::string());
      file.sha256 = (*entry)["sha256"].value_or(std::string());
      file.bytes = static_cast<std::uint64_t>((*entry)["bytes"].value_or(std::int64_t{0}));
      file.content = (*entry)["content"].value_or(std::string());
      if (!store::is_sha256_hex(file.sha256)) {
        return base::data_loss(path + ": " + file.path + " has no sha256");
      }
      model.files.push_back(std::move(file));
    }
  }
  if (!valid_model_name(model.name) || model.files.empty())
    return base::data_loss(path + ": incomplete");
  return model;
}

std::uint64_t InstalledModel::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& file : files) sum += file.bytes;
  return sum;
}

const InstalledFile* InstalledModel::sealed() const {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [](const auto& file) { return !file.content.empty(); });
  return found == files.end() ? nullptr : &*found;
}

std::string InstalledModel::content() const {
  std::vector<std::string> lines;
  for (const auto& file : files) lines.push_back(fmt::format("{} {}\n", file.sha256, file.path));
  std::sort(lines.begin(), lines.end());
  store::Sha256 digest;
  for (const auto& line : lines) digest.update(line);
  return digest.hex();
}

absl::StatusOr<ModelLibrary> ModelLibrary::open(const std::string& home) {
  ASSIGN_OR_RETURN(auto blobs, store::BlobStore::open(home + "/blobs"));
  RETURN_IF_ERROR(base::make_folders(home + "/models"));
  return ModelLibrary(home + "/models", std::move(blobs));
}

std::vector<InstalledModel> ModelLibrary::list() const {
  std::vector<InstalledModel> models;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().filename().string().starts_with(".")) continue;
    auto model = read_manifest((entry.path() / kManifestName).string());
    if (model.ok()) models.push_back(*std::move(model));
  }
  std::sort(models.begin(), models.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return models;
}

absl::StatusOr<InstalledModel> ModelLibrary::find(const std::string& name) const {
  if (!could_be_installed(name)) return base::not_found(name + ": not installed");
  auto model = read_manifest(folder_ + "/" + name + "/" + kManifestName);
  if (absl::IsNotFound(model.status())) {
    return base::not_found(
        fmt::format("{}: not installed; try `plinth model pull {}`", name, name));
  }
  return model;
}

std::optional<InstallStamp> ModelLibrary::stamp(const std::string& name) const {
  struct stat manifest {};
  if (!could_be_installed(name) ||
      ::stat((folder_ + "/" + name + "/" + kManifestName).c_str(), &manifest) != 0) {
    return std::nullopt;
  }
  constexpr std::int64_t kNanosecondsASecond = 1'000'000'000;
  return InstallStamp{manifest.st_ino,
                      manifest.st_mtim.tv_sec * kNanosecondsASecond + manifest.st_mtim.tv_nsec};
}

std::string ModelLibrary::blob_path(const InstalledModel& model, std::string_view path) const {
  const auto file = std::find_if(model.files.begin(), model.files.end(),
                                 [&](const auto& other) { return other.path == path; });
  return file == model.files.end() || !file->content.empty() ? "" : blobs_.path(file->sha256);
}

std::string ModelLibrary::open_path(const InstalledModel& model) const {
  return path_to_open(folder_ + "/" + model.name, model);
}

absl::StatusOr<std::string> ModelLibrary::add_blob(std::string_view bytes) const {
  store::Sha256 digest;
  digest.update({bytes.data(), bytes.size()});
  auto sha256 = digest.hex();
  if (blobs_.has(sha256)) return sha256;
  const auto part = fmt::format("{}/{}.{}", blobs_.partial_folder(), sha256, ::getpid());
  RETURN_IF_ERROR(base::write_file_atomic(part, bytes));
  RETURN_IF_ERROR(blobs_.adopt(part, sha256));
  return sha256;
}

absl::StatusOr<InstalledModel> ModelLibrary::install(InstalledModel model,
                                                     const FactsOf& facts_of) const {
  if (!valid_model_name(model.name)) {
    return base::invalid_argument(fmt::format(
        "\"{}\" is no model name: letters, digits, \"-\", \"_\", \":\" and \".\", 200 at most",
        model.name));
  }
  const fs::path final = fs::path(folder_) / model.name;
  const fs::path fresh = fs::path(folder_) / fmt::format(".{}.{}", model.name, ::getpid());
  std::error_code error;
  fs::remove_all(fresh, error);
  RETURN_IF_ERROR(base::make_folders(fresh.string()));
  for (const auto& file : model.files) {
    if (!file.content.empty()) continue;
    if (!blobs_.has(file.sha256)) return base::internal(file.path + ": blob is not there");
    const fs::path link = fresh / file.path;
    RETURN_IF_ERROR(base::make_folders(link.parent_path().string()));
    const fs::path target =
        fs::relative(fs::absolute(blobs_.path(file.sha256)), fs::absolute(link.parent_path()));
    fs::create_symlink(target, link, error);
    if (error) return base::unavailable(link.string() + ": " + error.message());
  }
  if (facts_of) {
    // What cannot be told here is told when the model is loaded.
    auto facts = facts_of(path_to_open(fresh.string(), model));
    if (!facts.kind.empty()) model.kind = std::move(facts.kind);
    for (const auto& [name, value] : facts.sampling) {
      if (protocol::check_sampling_default(name, value).ok()) model.sampling.emplace(name, value);
    }
  }
  RETURN_IF_ERROR(base::write_file_atomic((fresh / kManifestName).string(), manifest_text(model)));
  if (::rename(fresh.c_str(), final.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) return base::errno_status(errno, final.string());
    // An older version is there: both change places in one step, so no moment is without one.
    if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, final.c_str(), RENAME_EXCHANGE) != 0) {
      return base::errno_status(errno, final.string());
    }
    fs::remove_all(fresh, error);
  }
  RETURN_IF_ERROR(base::sync_folder(folder_));
  return model;
}

absl::Status ModelLibrary::remove(const std::string& name) const {
  ASSIGN_OR_RETURN(const InstalledModel model, find(name));
  const std::string doomed = fmt::format("{}/.{}.{}.rm", folder_, name, ::getpid());
  if (::rename((folder_ + "/" + name).c_str(), doomed.c_str()) != 0) {
    return base::errno_status(errno, folder_ + "/" + name);
  }
  std::error_code error;
  fs::remove_all(doomed, error);
  std::set<std::string> used;
  for (const auto& other : list()) {
    for (const auto& file : other.files) used.insert(file.sha256);
  }
  for (const auto& file : model.files) {
    if (file.content.empty() && !used.contains(file.sha256))
      RETURN_IF_ERROR(blobs_.remove(file.sha256));
  }
  return base::sync_folder(folder_);
}

absl::Status ModelLibrary::verify(const InstalledModel& model,
                                  const std::function<void(std::uint64_t)>& progress) const {
  std::string wrong;
  std::uint64_t before = 0;
  for (const auto& file : model.files) {
    if (!file.content.empty()) continue;
    const auto digest = store::sha256_file(blobs_.path(file.sha256),
                                           [&](std::uint64_t done) { progress(before + done); });
    if (!digest.ok()) {
      wrong += fmt::format("\n  {}: {}", file.path, base::message(digest.status()));
    } else if (*digest != file.sha256) {
      wrong += fmt::format("\n  {}: sha256 is {}, not {}", file.path, *digest, file.sha256);
    }
    before += file.bytes;
  }
  if (wrong.empty()) return absl::OkStatus();
  return base::data_loss(fmt::format("{} is damaged; `plinth model rm {}` and pull it again:{}",
                                     model.name, model.name, wrong));
}

}  // namespace plinth::cluster
