#include "apps/tuned_models.h"

#include "apps/model_install.h"

namespace plinth {

namespace {

class MergedModels final : public cluster::TunedModels {
 public:
  MergedModels(const cluster::ModelLibrary& library, const base::Clock& clock)
      : library_(library), clock_(clock) {}

  absl::Status publish(const std::string& name, const std::string& folder) override {
    ASSIGN_OR_RETURN(auto model, cluster::resolve_model(folder + "/model.gguf"));
    model.name = name;
    model.title = "fine-tuned";
    return install_quietly(library_, model, clock_).status();
  }
  absl::Status remove(const std::string& name) override { return library_.remove(name); }

 private:
  const cluster::ModelLibrary& library_;
  const base::Clock& clock_;
};

}  // namespace

std::unique_ptr<cluster::TunedModels> make_tuned_models(const cluster::ModelLibrary& library,
                                                        const base::Clock& clock) {
  return std::make_unique<MergedModels>(library, clock);
}

}  // namespace plinth
