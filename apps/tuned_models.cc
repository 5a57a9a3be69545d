#include "apps/tuned_models.h"

#include <fmt/format.h>

#include "base/file.h"
#include "model/adapter_file.h"
#include "model/limits.h"
#include "model/model_file.h"

namespace plinth {

namespace {

using cluster::TunedAdapter;
using cluster::TuningBase;

class Adapters final : public cluster::TunedModels {
 public:
  Adapters(const cluster::ModelLibrary& library, SealedModels& sealed, const base::Clock& clock)
      : library_(library), sealed_(sealed), clock_(clock) {}

  absl::StatusOr<TuningBase> find(const std::string& model) override {
    ASSIGN_OR_RETURN(const auto installed, library_.find(model));
    if (installed.base.empty()) return base_of(installed);
    ASSIGN_OR_RETURN(const auto base, cluster::base_of_adapter(library_, installed));
    auto found = base_of(base);
    auto adapter = cluster::open_adapter_ref(
        library_, installed, [this](const std::string& content) { return sealed_.open(content); });
    if (!adapter.ok()) return base::annotate(adapter.status(), model);
    found.adapter = *std::move(adapter);
    return found;
  }

  absl::Status publish(const TunedAdapter& adapter) override {
    ASSIGN_OR_RETURN(const auto now, library_.find(adapter.base.name));
    if (now.content() != adapter.base.content) {
      return base::failed_precondition(
          fmt::format("{} was replaced by another model since then", adapter.base.name));
    }
    const auto paths = model::adapter_paths(adapter.folder);
    ASSIGN_OR_RETURN(auto config, base::read_file(paths.config, model::kConfigBytesMax));
    ASSIGN_OR_RETURN(const auto weights, adapter.storage->read(paths.tensors));
    RETURN_IF_ERROR(check(adapter, library_.open_path(now)));
    ASSIGN_OR_RETURN(const auto file, sealed_.keep(adapter, weights.text()));
    return cluster::install_sealed_adapter(
               library_,
               {adapter.name, adapter.base.name, std::move(config), file, clock_.unix_seconds()})
        .status();
  }

  // The weights first: a model without them says so, and is removed by the next try.
  absl::Status remove(const std::string& name) override {
    ASSIGN_OR_RETURN(const auto installed, library_.find(name));
    if (const auto* file = installed.sealed(); file != nullptr) {
      const auto removed = sealed_.remove(file->content);
      if (!removed.ok()) return base::annotate(removed, name);
    }
    return library_.remove(name);
  }

 private:
  static absl::Status check(const TunedAdapter& adapter, const std::string& base) {
    ASSIGN_OR_RETURN(const auto file, model::open_model(base));
    return model::open_adapter(model::adapter_paths(adapter.folder), file->spec,
                               [&](const std::string& path) { return adapter.storage->read(path); })
        .status();
  }
  TuningBase base_of(const cluster::InstalledModel& model) const {
    return {model.name, model.content(), library_.open_path(model), {}};
  }

  const cluster::ModelLibrary& library_;
  SealedModels& sealed_;
  const base::Clock& clock_;
};

}  // namespace

std::unique_ptr<cluster::TunedModels> make_tuned_models(const cluster::ModelLibrary& library,
                                                        SealedModels& sealed,
                                                        const base::Clock& clock) {
  return std::make_unique<Adapters>(library, sealed, clock);
}

}  // namespace plinth
