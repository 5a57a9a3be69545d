#include "apps/home_models.h"

#include <fmt/format.h>

#include <filesystem>

#include "apps/home_database.h"
#include "apps/settings_flags.h"
#include "base/clock.h"
#include "governance/retention.h"
#include "governance/vault.h"

namespace plinth {

// In the order in which they need each other.
struct HomeModels::Opened {
  explicit Opened(std::unique_ptr<store::Database> opened)
      : database(std::move(opened)), documents(*database) {}

  absl::Status open(const std::string& home, const base::Settings& settings) {
    ASSIGN_OR_RETURN(
        vault, governance::Vault::open(home, *database, clock, {copies_folder_of(home, settings)}));
    ASSIGN_OR_RETURN(retention, governance::RetentionPolicies::open(documents, clock));
    ASSIGN_OR_RETURN(content, governance::ContentStore::open(content_folder_of(home, settings),
                                                             *database, *vault, *retention, clock));
    models = std::make_unique<SealedModels>(*content);
    return absl::OkStatus();
  }

  const base::RealClock clock;
  const std::unique_ptr<store::Database> database;
  store::DocumentStore documents;
  std::unique_ptr<governance::Vault> vault;
  std::unique_ptr<governance::RetentionPolicies> retention;
  std::unique_ptr<governance::ContentStore> content;
  std::unique_ptr<SealedModels> models;
};

HomeModels::HomeModels(std::string home, const cluster::ModelLibrary& library)
    : home_(std::move(home)), library_(library) {}
HomeModels::~HomeModels() = default;

absl::StatusOr<SealedModels*> HomeModels::sealed() {
  if (opened_ != nullptr) return opened_->models.get();
  std::error_code error;
  // Opening the vault would make one, which opens nothing.
  if (!std::filesystem::exists(home_ + "/secrets/master_key", error)) {
    return base::failed_precondition(
        fmt::format("{}/secrets has no master_key: what is sealed cannot be read", home_));
  }
  ASSIGN_OR_RETURN(const auto settings, load_settings(home_, nullptr));
  ASSIGN_OR_RETURN(auto database, store::Database::open_present(database_of(home_, settings)));
  auto opened = std::make_unique<Opened>(std::move(database));
  RETURN_IF_ERROR(opened->open(home_, settings));
  opened_ = std::move(opened);
  return opened_->models.get();
}

absl::StatusOr<protocol::AdapterRef> HomeModels::adapter(const cluster::InstalledModel& model) {
  return cluster::open_adapter_ref(
      library_, model, [this](const std::string& content) -> absl::StatusOr<cluster::SealedFile> {
        ASSIGN_OR_RETURN(auto* models, sealed());
        return models->open(content);
      });
}

absl::StatusOr<model::AdapterFile> HomeModels::open(const cluster::InstalledModel& model,
                                                    const model::DecoderSpec& base) {
  ASSIGN_OR_RETURN(const auto ref, adapter(model));
  base::ReadFile read = base::map_file;
  if (!ref.key.empty())
    read = [&](const std::string& path) { return governance::read_sealed_file(path, ref.key); };
  return model::open_adapter({ref.path, ref.config_path}, base, read);
}

absl::Status HomeModels::remove(const cluster::InstalledModel& model) {
  if (const auto* file = model.sealed(); file != nullptr) {
    ASSIGN_OR_RETURN(auto* models, sealed());
    RETURN_IF_ERROR(models->remove(file->content));
  }
  return library_.remove(model.name);
}

}  // namespace plinth
