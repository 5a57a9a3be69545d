// The sealed models of a home, for a command that may run beside its service.
#pragma once

#include <memory>
#include <string>

#include "apps/sealed_models.h"
#include "base/status.h"
#include "cluster/model_library.h"
#include "model/adapter_file.h"

namespace plinth {

// Nothing is opened before it is needed: only a model that is sealed needs keys. Used by one
// thread.
class HomeModels {
 public:
  // The library outlives it.
  HomeModels(std::string home, const cluster::ModelLibrary& library);
  ~HomeModels();

  // NotFound where the home has no database; FailedPrecondition where it has no keys.
  absl::StatusOr<SealedModels*> sealed();
  // Of an adapter, sealed or not, for an engine.
  absl::StatusOr<protocol::AdapterRef> adapter(const cluster::InstalledModel& model);
  // The weights of one, as they are added to its base.
  absl::StatusOr<model::AdapterFile> open(const cluster::InstalledModel& model,
                                          const model::DecoderSpec& base);
  // Removes the model, with what is sealed of it.
  absl::Status remove(const cluster::InstalledModel& model);

 private:
  struct Opened;
  const std::string home_;
  const cluster::ModelLibrary& library_;
  std::unique_ptr<Opened> opened_;
};

}  // namespace plinth
