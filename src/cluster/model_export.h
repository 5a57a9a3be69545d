// A model taken out of the home again: its files and manifest.toml, as a folder or a tar archive.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "cluster/model_library.h"

namespace plinth::cluster {

// `target` ending in ".tar" becomes an archive, anything else a folder, which must be new or
// empty. Every byte is checked against its sha256 on the way (DataLoss). After an error nothing is
// left of `target`.
absl::Status export_model(const ModelLibrary& library, const InstalledModel& model,
                          const std::string& target,
                          const std::function<void(std::uint64_t done)>& progress);

}  // namespace plinth::cluster
