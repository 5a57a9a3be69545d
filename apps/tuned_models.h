// Tuned models as adapters of the library, over the models that they were trained beside; their
// weights are sealed content of their projects.
#pragma once

#include <memory>

#include "apps/sealed_models.h"
#include "base/clock.h"
#include "cluster/model_library.h"
#include "cluster/tuned_models.h"

namespace plinth {

// The references outlive it.
std::unique_ptr<cluster::TunedModels> make_tuned_models(const cluster::ModelLibrary& library,
                                                        SealedModels& sealed,
                                                        const base::Clock& clock);

}  // namespace plinth
