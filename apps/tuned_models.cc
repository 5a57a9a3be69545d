#include "apps/tuned_models.h"

#include <fmt/format.h>

#include "apps/model_install.h"

namespace plinth {

namespace {

using cluster::TuningBase;

class Adapters final : public cluster::TunedModels {
 public:
  Adapters(const cluster::ModelLibrary& library, const base::Clock& clock)
      : library_(library), clock_(clock) {}

  absl::StatusOr<TuningBase> find(const std::string& model) override {
    ASSIGN_OR_RETURN(const auto installed, library_.find(model));
    if (installed.base.empty()) return base_of(installed);
    const auto base = library_.find(installed.base);
    if (!base.ok() || base->content() != installed.base_content) {
      return base::failed_precondition(
          fmt::format("{} is an adapter over {}, which is not there any more as it was", model,
                      installed.base));
    }
    auto found = base_of(*base);
    found.adapter_path = library_.open_path(installed);
    found.adapter_content = installed.content();
    return found;
  }
  absl::Status publish(const std::string& name, const TuningBase& base,
                       const std::string& folder) override {
    ASSIGN_OR_RETURN(const auto now, library_.find(base.name));
    if (now.content() != base.content) {
      return base::failed_precondition(
          fmt::format("{} was replaced by another model since then", base.name));
    }
    return install_adapter_quietly(library_, {name, base.name, folder}, clock_).status();
  }
  absl::Status remove(const std::string& name) override { return library_.remove(name); }

 private:
  TuningBase base_of(const cluster::InstalledModel& model) const {
    return {model.name, model.content(), library_.open_path(model), "", ""};
  }

  const cluster::ModelLibrary& library_;
  const base::Clock& clock_;
};

}  // namespace

std::unique_ptr<cluster::TunedModels> make_tuned_models(const cluster::ModelLibrary& library,
                                                        const base::Clock& clock) {
  return std::make_unique<Adapters>(library, clock);
}

}  // namespace plinth
