#include "cluster/adapter_install.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cluster/model_catalog.h"

namespace plinth::cluster {

namespace {

constexpr char kConfig[] = "adapter_config.json", kWeights[] = "adapter_model.safetensors";

// Of a folder: the two files that make an adapter. What training left beside them stays behind.
void keep_adapter_files(CatalogModel& model) {
  const bool folder = std::any_of(model.files.begin(), model.files.end(),
                                  [](const auto& file) { return file.path == kConfig; });
  if (!folder) return;
  std::erase_if(model.files,
                [](const auto& file) { return file.path != kConfig && file.path != kWeights; });
}

absl::Status check_base(const InstalledModel& base) {
  if (base.base.empty() && base.kind != "embeddings") return absl::OkStatus();
  return base::failed_precondition(
      fmt::format("{} is {} itself: an adapter needs a model that generates", base.name,
                  base.base.empty() ? "a model for embeddings" : "an adapter"));
}

}  // namespace

absl::StatusOr<InstalledModel> install_adapter(const ModelLibrary& library, ModelPuller& puller,
                                               const AdapterSource& source,
                                               const CheckAdapter& check,
                                               const PullProgress& progress) {
  ASSIGN_OR_RETURN(const auto base, library.find(source.base));
  RETURN_IF_ERROR(check_base(base));
  ASSIGN_OR_RETURN(auto model, resolve_model(source.folder));
  const bool local = model.files.front().sources.front().starts_with("file:");
  if (check && local) RETURN_IF_ERROR(check(library.open_path(base), source.folder));
  keep_adapter_files(model);
  if (source.name == base.name) {
    return base::invalid_argument(
        fmt::format("{} is the base's own name; give the adapter another", source.name));
  }
  if (!source.name.empty()) model.name = source.name;
  model.title = fmt::format("adapter over {}", base.name);
  model.kind = kAdapterKind;
  model.license = source.license.empty() ? base.license : source.license;
  model.base = base.name;
  model.base_content = base.content();
  return puller.pull(model, progress);
}

protocol::AdapterRef adapter_ref(const ModelLibrary& library, const InstalledModel& adapter) {
  protocol::AdapterRef ref;
  ref.id = adapter.content();
  ref.config_path = library.blob_path(adapter, kConfig);
  if (!ref.config_path.empty()) {
    ref.path = library.blob_path(adapter, kWeights);
  } else if (!adapter.files.empty()) {
    ref.path = library.blob_path(adapter, adapter.files.front().path);
  }
  // Without its file it cannot be loaded, and says so.
  if (ref.path.empty()) ref.path = library.open_path(adapter);
  std::error_code error;
  ref.path = std::filesystem::absolute(ref.path, error).string();
  if (!ref.config_path.empty()) {
    ref.config_path = std::filesystem::absolute(ref.config_path, error).string();
  }
  return ref;
}

}  // namespace plinth::cluster
