#include "apps/backup_models.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "governance/content_store.h"
#include "model/limits.h"
#include "store/limits.h"
#include "store/sha256.h"

namespace plinth {

namespace {

using base::json::object;
using cluster::InstalledModel;
using cluster::ModelLibrary;

std::string sha256_of(std::string_view text) {
  store::Sha256 digest;
  digest.update({text.data(), text.size()});
  return digest.hex();
}

absl::StatusOr<object> to_object(const ModelLibrary& library, const InstalledModel& model) {
  object files;
  for (const auto& file : model.files) {
    if (!file.content.empty()) continue;
    ASSIGN_OR_RETURN(const auto text,
                     base::read_file(library.blob_path(model, file.path), model::kConfigBytesMax));
    files[file.path] = text;
  }
  return object{{"manifest", cluster::manifest_text(model)}, {"files", std::move(files)}};
}

// It becomes a file's name in the model's folder.
bool is_plain_name(std::string_view name) {
  return !name.empty() && !name.starts_with(".") && name.size() <= 255 &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

absl::StatusOr<BackedUpModel> to_model(const object& from) {
  const auto* manifest = from.if_contains("manifest");
  const auto* files = from.if_contains("files");
  if (manifest == nullptr || !manifest->is_string() || files == nullptr || !files->is_object())
    return base::invalid_argument("a model without manifest or files");
  BackedUpModel made;
  ASSIGN_OR_RETURN(made.model, cluster::parse_manifest(std::string_view(manifest->get_string()),
                                                       kTunedModelsList));
  for (const auto& file : made.model.files) {
    if (!is_plain_name(file.path) || file.path == cluster::kManifestName)
      return base::invalid_argument(file.path + " is no name of a file");
    if (!file.content.empty()) {
      RETURN_IF_ERROR(governance::check_content_id(file.content));
      continue;
    }
    const auto* text = files->get_object().if_contains(file.path);
    if (text == nullptr || !text->is_string())
      return base::data_loss(fmt::format("{} of {} is missing", file.path, made.model.name));
    std::string whole(text->get_string());
    if (sha256_of(whole) != file.sha256 || whole.size() != file.bytes)
      return base::data_loss(fmt::format("{} of {} was changed", file.path, made.model.name));
    made.files.emplace_back(file.path, std::move(whole));
  }
  return made;
}

}  // namespace

absl::StatusOr<std::string> list_tuned_models(const ModelLibrary& library) {
  base::json::array models;
  for (const auto& model : library.list()) {
    if (model.sealed() == nullptr) continue;
    ASSIGN_OR_RETURN(auto entry, to_object(library, model));
    models.push_back(std::move(entry));
  }
  if (models.empty()) return "";
  return base::to_json(object{{"models", std::move(models)}}) + "\n";
}

absl::StatusOr<std::vector<BackedUpModel>> parse_tuned_models(std::string_view json) {
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(json, {.bytes_max = kTunedModelsBytesMax}));
  const auto* document = parsed.if_object();
  const auto* models = document == nullptr ? nullptr : document->if_contains("models");
  if (models == nullptr || !models->is_array())
    return base::invalid_argument(std::string(kTunedModelsList) + " has no list of models");
  if (models->get_array().size() > store::kBackupEntriesMax)
    return base::invalid_argument(std::string(kTunedModelsList) + " has too many models");
  std::vector<BackedUpModel> all;
  for (const auto& entry : models->get_array()) {
    if (!entry.is_object())
      return base::invalid_argument(std::string(kTunedModelsList) + ": expected objects");
    auto model = to_model(entry.get_object());
    if (!model.ok()) return base::annotate(model.status(), kTunedModelsList);
    all.push_back(*std::move(model));
  }
  return all;
}

absl::Status restore_tuned_models(const ModelLibrary& library,
                                  const std::vector<BackedUpModel>& models) {
  for (const auto& [model, files] : models) {
    if (library.find(model.name).ok()) continue;
    for (const auto& [path, text] : files) RETURN_IF_ERROR(library.add_blob(text).status());
    RETURN_IF_ERROR(library.install(model).status());
  }
  return absl::OkStatus();
}

}  // namespace plinth
