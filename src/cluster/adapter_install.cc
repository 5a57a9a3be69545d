#include "cluster/adapter_install.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "cluster/model_catalog.h"
#include "store/sha256.h"

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

absl::StatusOr<InstalledModel> install_sealed_adapter(const ModelLibrary& library,
                                                      const SealedAdapter& adapter) {
  ASSIGN_OR_RETURN(const auto base, library.find(adapter.base));
  RETURN_IF_ERROR(check_base(base));
  InstalledModel model;
  model.name = adapter.name;
  model.title = fmt::format("adapter over {}", base.name);
  model.kind = kAdapterKind;
  model.license = base.license;
  model.base = base.name;
  model.base_content = base.content();
  model.pulled_unix_s = adapter.created_s;
  ASSIGN_OR_RETURN(const auto config, library.add_blob(adapter.config));
  model.files = {{kConfig, config, adapter.config.size()}, adapter.weights};
  model.files.back().path = kWeights;
  return library.install(std::move(model));
}

absl::StatusOr<InstalledModel> base_of_adapter(const ModelLibrary& library,
                                               const InstalledModel& adapter) {
  auto base = library.find(adapter.base);
  if (!base.ok()) {
    return base::failed_precondition(
        fmt::format("adapter {} is over {}, which is not installed", adapter.name, adapter.base));
  }
  if (!check_base(*base).ok() || base->content() != adapter.base_content) {
    return base::failed_precondition(
        fmt::format("adapter {} was installed over another {} than the one that is there now; "
                    "import it again",
                    adapter.name, adapter.base));
  }
  return base;
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
  // Without its file it cannot be loaded, and says so; where a sealed one lies is said later.
  if (ref.path.empty()) ref.path = library.open_path(adapter);
  std::error_code error;
  ref.path = std::filesystem::absolute(ref.path, error).string();
  if (!ref.config_path.empty()) {
    ref.config_path = std::filesystem::absolute(ref.config_path, error).string();
  }
  return ref;
}

absl::Status open_weights(const OpenSealed& open, const std::string& content,
                          protocol::AdapterRef& ref) {
  if (open == nullptr) return base::failed_precondition("sealed adapters cannot be read here");
  auto file = open(content);
  if (absl::IsNotFound(file.status())) {
    return base::failed_precondition(
        "the adapter's weights are not there any more: they were deleted with the content of their "
        "project");
  }
  if (absl::IsFailedPrecondition(file.status())) {
    return base::failed_precondition(
        "the adapter's weights cannot be read any more: the keys of their project were destroyed");
  }
  RETURN_IF_ERROR(file.status());
  std::error_code error;
  ref.path = std::filesystem::absolute(file->path, error).string();
  ref.key = std::move(file->key);
  return absl::OkStatus();
}

absl::StatusOr<protocol::AdapterRef> open_adapter_ref(const ModelLibrary& library,
                                                      const InstalledModel& adapter,
                                                      const OpenSealed& open) {
  auto ref = adapter_ref(library, adapter);
  if (const auto* sealed = adapter.sealed(); sealed != nullptr)
    RETURN_IF_ERROR(open_weights(open, sealed->content, ref));
  return ref;
}

}  // namespace plinth::cluster
