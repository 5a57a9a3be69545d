#include "cluster/model_catalog.h"

#define TOML_EXCEPTIONS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/check.h"
#include "cluster/catalog_text.h"

namespace plinth::cluster {

namespace {

namespace fs = std::filesystem;

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

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '_' || c == '.';
         });
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

}  // namespace

absl::StatusOr<std::vector<CatalogModel>> parse_catalog(std::string_view text) {
  const auto parsed = toml::parse(text);
  if (!parsed) {
    return base::invalid_argument(fmt::format(
        "[catalog] line {}: {}", parsed.error().source().begin.line, parsed.error().description()));
  }
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
    if (!valid_name(model.name) || !names.insert(model.name).second) {
      return base::invalid_argument(
          fmt::format("[catalog] name \"{}\" is malformed or repeated", model.name));
    }
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
  if (name.starts_with("hf:")) {
    if (std::count(text.begin(), text.end(), '/') < 2) {
      return base::invalid_argument(text + ": expected hf:OWNER/REPO/FILE");
    }
    const std::string file = fs::path(text).filename().string();
    return single_file(name_of_file(file), file, text, "");
  }
  if (name.starts_with("https://") || name.starts_with("http://")) {
    const auto mark = text.find("#sha256=");
    if (mark == std::string::npos) {
      return base::invalid_argument(text + ": a URL needs its digest: append #sha256=<64 digits>");
    }
    const std::string url = text.substr(0, mark);
    const std::string file = fs::path(url.substr(0, url.find('?'))).filename().string();
    return single_file(name_of_file(file), file, url, text.substr(mark + 8));
  }
  std::error_code error;
  if (fs::is_regular_file(text, error)) {
    const auto file = fs::absolute(text);
    return single_file(name_of_file(file.filename()), file.filename(), "file:" + file.string(), "");
  }
  if (fs::is_directory(text, error)) {
    CatalogModel model;
    const fs::path folder = fs::canonical(text);
    model.name = model.title = name_of_file(folder.filename());
    model.kind = "chat";
    model.license = "as its owner states";
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      const auto inside = fs::relative(entry.path(), folder).string();
      model.files.push_back({inside, 0, "", {"file:" + entry.path().string()}});
    }
    if (model.files.empty()) return base::invalid_argument(text + ": empty folder");
    return model;
  }
  std::string known;
  for (const auto& model : builtin_catalog()) known += (known.empty() ? "" : ", ") + model.name;
  return base::not_found(
      fmt::format("{}: neither a catalog name nor a file, a URL or hf:OWNER/REPO/FILE. Catalog: {}",
                  name, known));
}

}  // namespace plinth::cluster
