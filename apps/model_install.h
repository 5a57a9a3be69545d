// Pulls as people see them: what, under which licence, how far, and what went wrong on the way.
#pragma once

#include <string>

#include "base/clock.h"
#include "cluster/adapter_install.h"
#include "cluster/model_catalog.h"
#include "cluster/model_library.h"

namespace plinth {

absl::StatusOr<cluster::InstalledModel> install_model(const cluster::ModelLibrary& library,
                                                      const cluster::CatalogModel& model,
                                                      const base::Clock& clock);
// Installs an adapter (a PEFT folder, a GGUF file) over the installed model `base`; "" = the one
// that the folder names. It is read before, and refused where it does not fit.
absl::StatusOr<cluster::InstalledModel> install_adapter(const cluster::ModelLibrary& library,
                                                        cluster::AdapterSource source,
                                                        const base::Clock& clock);
// Pulls `name` where it is not installed yet. The name it is installed under: that of a path or a
// URL is made of the file's.
absl::StatusOr<std::string> ensure_installed(const cluster::ModelLibrary& library,
                                             const std::string& name, const base::Clock& clock);

// Of a model that training left at `path`, in its folder: installed under `name`, or with "" said
// where it lies and how to install it.
absl::Status take_trained(const cluster::ModelLibrary& library, const std::string& path,
                          const std::string& name, const base::Clock& clock);

}  // namespace plinth
