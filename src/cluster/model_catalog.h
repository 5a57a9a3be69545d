// The catalog: names that people pull, and where their files are (models/catalog.toml).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "protocol/sampling_defaults.h"

namespace plinth::cluster {

struct CatalogFile {
  std::string path;         // inside the model's folder: "config.json", "1_Pooling/config.json"
  std::uint64_t bytes = 0;  // 0 = not stated
  std::string sha256;       // "" = not pinned: the source must state it
  std::vector<std::string> sources;
};

struct CatalogModel {
  std::string name;
  std::string title;
  std::string kind;  // "chat" or "embeddings"
  std::string license;
  std::vector<CatalogFile> files;
  protocol::SamplingDefaults sampling = {};
  std::string base = {}, base_content = {};  // of an adapter, as InstalledModel has them
};

// InvalidArgument names the line or the field. File paths that would leave the model's folder,
// repeated names and unknown source schemes are refused.
absl::StatusOr<std::vector<CatalogModel>> parse_catalog(std::string_view toml);

// The catalog that this program was built with.
const std::vector<CatalogModel>& builtin_catalog();

// NAME of the command line as a model to pull: a catalog name, hf:owner/repo/file, a URL (needs
// "#sha256=..."), or a path to a file or folder. NotFound lists close names.
absl::StatusOr<CatalogModel> resolve_model(std::string_view name);

}  // namespace plinth::cluster
