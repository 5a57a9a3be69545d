#include "cluster/model_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "base/check.h"
#include "base/near_name.h"
#include "base/toml.h"
#include "cluster/catalog_text.h"
#include "cluster/model_library.h"
#include "cluster/sampling_toml.h"
#include "store/sha256.h"

namespace plinth::cluster {

namespace {

namespace fs = std::filesystem;

constexpr int kShardsMax = 1000;               // of one model; the largest open ones have 200
constexpr std::size_t kFolderFilesMax = 4096;  // more is some other folder, named by mistake

bool stays_inside(const std::string& path) {
  const fs::path p(path);
  if (path.empty() || p.is_absolute()) return false;
  return std::none_of(p.begin(), p.end(), [](const fs::path& part) { return part == ".."; });
}

bool known_scheme(std::string_view source) {
  return source.starts_with("hf:") || source.starts_with("pypi:") ||
         source.starts_with("https://") || source.starts_with("http://") ||
         source.starts_with("file:");
}

absl::StatusOr<CatalogFile> parse_file(const toml::table& from, const std::string& model) {
  CatalogFile file;
  file.path = from["path"].value_or(std::string());
  file.sha256 = from["sha256"].value_or(std::string());
  file.bytes = static_cast<std::uint64_t>(from["bytes"].value_or(std::int64_t{0}));
  if (!stays_inside(file.path)) {
    return base::invalid_argument(
        fmt::format("[catalog] {}: path \"{}\" leaves the model's folder", model, file.path));
  }
  if (const auto* sources = from["sources"].as_array()) {
    for (const auto& source : *sources) {
      file.sources.push_back(source.value_or(std::string()));
      if (!known_scheme(file.sources.back())) {
        return base::invalid_argument(
            fmt::format("[catalog] {}: unknown source \"{}\"", model, file.sources.back()));
      }
    }
  }
  if (!file.sha256.empty() && !store::is_sha256_hex(file.sha256)) {
    return base::invalid_argument(
        fmt::format("[catalog] {}: {}: sha256 is not 64 lower-case digits", model, file.path));
  }
  if (file.sources.empty()) {
    return base::invalid_argument(fmt::format("[catalog] {}: {} has no source", model, file.path));
  }
  return file;
}

CatalogModel single_file(std::string name, std::string path, std::string source,
                         std::string sha256) {
  CatalogModel model;
  model.title = name;
  model.name = std::move(name);
  model.kind = "chat";
  model.license = "as its owner states";
  model.files.push_back({std::move(path), 0, std::move(sha256), {std::move(source)}});
  return model;
}

// "SmolLM2-135M-Instruct.Q4_1.gguf" -> "smollm2-135m-instruct.q4_1"
std::string name_of_file(const std::string& file) {
  std::string name = fs::path(file).filename().string();
  for (const char* ending : {".gguf", ".safetensors"}) {
    if (name.ends_with(ending)) name.resize(name.size() - std::string_view(ending).size());
  }
  std::string out;
  for (unsigned char c : name) {
    if (out.size() == 64) break;
    out += std::isalnum(c) || c == '-' || c == '_' || c == '.' ? static_cast<char>(std::tolower(c))
                                                               : '-';
  }
  return out;
}

// "x-00001-of-00003.gguf" -> all three; any other name -> itself.
std::vector<std::string> shards_of(const std::string& file) {
  static const std::regex pattern(R"((.*)-00001-of-(\d{5})\.gguf)");
  std::smatch match;
  if (!std::regex_match(file, match, pattern)) return {file};
  std::vector<std::string> shards;
  const int count = std::stoi(match[2]);
  for (int i = 1; i <= std::min(count, kShardsMax); ++i) {
    shards.push_back(fmt::format("{}-{:05}-of-{}.gguf", match[1].str(), i, match[2].str()));
  }
  return shards;
}

// "m-00001-of-00003.gguf" brings the other two; a shard that is not there is an error.
absl::StatusOr<CatalogModel> local_gguf(const fs::path& file) {
  const std::string name = file.filename().string();
  const auto shards = shards_of(name);
  const std::string whole =
      shards.size() > 1 ? name.substr(0, name.rfind("-00001-of-")) + ".gguf" : name;
  CatalogModel model = single_file(name_of_file(whole), name, "file:" + file.string(), "");
  model.files.clear();
  for (const auto& shard : shards) {
    const auto path = file.parent_path() / shard;
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
      return base::not_found(
          fmt::format("{}: the file {} of the same set is not there", file.string(), shard));
    }
    model.files.push_back({shard, 0, "", {"file:" + path.string()}});
  }
  return model;
}

absl::StatusOr<CatalogModel> hub_model(const std::string& text) {
  const auto owner_end = text.find('/');
  const auto repo_end = owner_end == std::string::npos ? owner_end : text.find('/', owner_end + 1);
  if (repo_end == std::string::npos || repo_end + 1 == text.size() || text.ends_with("/")) {
    return base::invalid_argument(text + ": expected hf:OWNER/REPO/FILE");
  }
  const std::string folder = text.substr(0, text.rfind('/') + 1);
  const std::string file = text.substr(folder.size());
  CatalogModel model = single_file(name_of_file(file), file, text, "");
  model.license = "see https://huggingface.co/" + text.substr(3, repo_end - 3);
  const auto shards = shards_of(file);
  model.files.clear();
  for (const auto& shard : shards) model.files.push_back({shard, 0, "", {folder + shard}});
  return model;
}

// A folder that `plinth model export` wrote: the manifest says what it holds.
absl::StatusOr<CatalogModel> described_by(const InstalledModel& manifest, CatalogModel folder) {
  if (!valid_model_name(manifest.name)) {
    return base::invalid_argument(
        fmt::format("{}: name \"{}\" is malformed", kManifestName, manifest.name));
  }
  CatalogModel model{manifest.name,    manifest.title, manifest.kind, manifest.license, {},
                     manifest.sampling};
  for (const auto& file : manifest.files) {
    const auto found = std::find_if(folder.files.begin(), folder.files.end(),
                                    [&](const auto& other) { return other.path == file.path; });
    if (found == folder.files.end()) {
      return base::data_loss(
          fmt::format("{} names {}, which is not there", kManifestName, file.path));
    }
    found->sha256 = file.sha256;
    model.files.push_back(std::move(*found));
  }
  return model;
}

// Formats that can hold programs, and what version control keeps: never copied.
bool skipped_in_folder(const fs::path& inside) {
  for (const auto& part : inside) {
    if (part.string().starts_with(".")) return true;
  }
  static constexpr std::string_view kEndings[] = {".bin", ".pt",   ".pth", ".ckpt",    ".pkl",
                                                  ".h5",  ".onnx", ".ot",  ".msgpack", ".pickle"};
  const std::string ending = inside.extension().string();
  return std::find(std::begin(kEndings), std::end(kEndings), ending) != std::end(kEndings);
}

// A folder as the transformers library writes it, or of GGUF files. Hidden files stay behind, and
// formats that can hold programs.
absl::StatusOr<CatalogModel> folder_model(const std::string& text) {
  std::error_code error;
  const fs::path folder = fs::canonical(text, error);
  CatalogModel model;
  model.name = model.title = name_of_file(folder.filename());
  model.kind = "chat";
  model.license = "as its owner states";
  fs::recursive_directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(".")) {
      it.disable_recursion_pending();
      continue;
    }
    const auto inside = it->path().lexically_relative(folder).string();
    if (!it->is_regular_file(error) || skipped_in_folder(inside)) continue;
    if (inside == "modules.json") model.kind = "embeddings";
    model.files.push_back({inside, 0, "", {"file:" + it->path().string()}});
    if (model.files.size() > kFolderFilesMax) {
      return base::invalid_argument(fmt::format("{}: over {} files", text, kFolderFilesMax));
    }
  }
  if (error) return base::errno_status(error.value(), text);
  std::sort(model.files.begin(), model.files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  const bool weights = std::any_of(model.files.begin(), model.files.end(), [](const auto& file) {
    return file.path.ends_with(".gguf") || file.path.ends_with(".safetensors");
  });
  if (!weights) return base::invalid_argument(text + ": no .gguf or .safetensors file in it");
  const auto manifest = read_manifest((folder / kManifestName).string());
  if (absl::IsNotFound(manifest.status())) return model;
  RETURN_IF_ERROR(manifest.status());
  return described_by(*manifest, std::move(model));
}

}  // namespace

absl::StatusOr<std::vector<CatalogModel>> parse_catalog(std::string_view text) {
  ASSIGN_OR_RETURN(const toml::table parsed, base::parse_toml(text, "[catalog] catalog.toml"));
  std::vector<CatalogModel> models;
  std::set<std::string> names;
  const auto* list = parsed["model"].as_array();
  if (list == nullptr) return base::invalid_argument("[catalog] no [[model]]");
  for (const auto& node : *list) {
    const auto* entry = node.as_table();
    if (entry == nullptr) return base::invalid_argument("[catalog] model is not a table");
    CatalogModel model;
    model.name = (*entry)["name"].value_or(std::string());
    model.title = (*entry)["title"].value_or(model.name);
    model.kind = (*entry)["kind"].value_or(std::string("chat"));
    model.license = (*entry)["license"].value_or(std::string("unknown"));
    if (!valid_model_name(model.name) || !names.insert(model.name).second) {
      return base::invalid_argument(
          fmt::format("[catalog] name \"{}\" is malformed or repeated", model.name));
    }
    auto sampling = read_sampling_table(*entry);
    if (!sampling.ok()) return base::annotate(sampling.status(), "[catalog] " + model.name);
    model.sampling = *std::move(sampling);
    if (const auto* files = (*entry)["file"].as_array()) {
      for (const auto& file : *files) {
        if (!file.is_table()) return base::invalid_argument("[catalog] file is not a table");
        ASSIGN_OR_RETURN(auto parsed_file, parse_file(*file.as_table(), model.name));
        model.files.push_back(std::move(parsed_file));
      }
    }
    if (model.files.empty()) {
      return base::invalid_argument(fmt::format("[catalog] {} has no file", model.name));
    }
    models.push_back(std::move(model));
  }
  return models;
}

const std::vector<CatalogModel>& builtin_catalog() {
  static const std::vector<CatalogModel> models = [] {
    auto parsed = parse_catalog(kCatalogText);
    CHECK(parsed.ok());
    return *std::move(parsed);
  }();
  return models;
}

absl::StatusOr<CatalogModel> resolve_model(std::string_view name) {
  for (const auto& model : builtin_catalog()) {
    if (model.name == name) return model;
  }
  const std::string text(name);
  if (name.starts_with("hf:")) return hub_model(text);
  if (name.starts_with("https://") || name.starts_with("http://")) {
    const auto mark = text.find("#sha256=");
    if (mark == std::string::npos) {
      return base::invalid_argument(text + ": a URL needs its digest: append #sha256=<64 digits>");
    }
    const std::string digest = text.substr(mark + 8);
    if (!store::is_sha256_hex(digest)) {
      return base::invalid_argument(text + ": sha256 is 64 lower-case hexadecimal digits");
    }
    const std::string url = text.substr(0, mark);
    const std::string file = fs::path(url.substr(0, url.find('?'))).filename().string();
    if (!stays_inside(file)) return base::invalid_argument(text + ": the URL names no file");
    return single_file(name_of_file(file), file, url, digest);
  }
  std::error_code error;
  if (fs::is_regular_file(text, error)) return local_gguf(fs::absolute(text, error));
  if (fs::is_directory(text, error)) return folder_model(text);
  std::vector<std::string_view> known;
  for (const auto& model : builtin_catalog()) known.push_back(model.name);
  return base::not_found(fmt::format(
      "{}: neither a catalog name (`plinth model list` shows them) nor a file, a URL or "
      "hf:OWNER/REPO/FILE{}",
      name, base::did_you_mean(name, known)));
}

}  // namespace plinth::cluster
