// A model taken out of the home again: its files and manifest.toml, as a folder or a tar archive.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "base/storage.h"
#include "cluster/model_library.h"

namespace plinth::cluster {

// The plain bytes of sealed content.
using ReadSealed = std::function<absl::StatusOr<base::FileBytes>(const std::string& content)>;

// `target` ending in ".tar" becomes an archive, anything else a folder, which must be new or
// empty. Every byte is checked against its sha256 on the way (DataLoss). After an error nothing is
// left of `target`. Sealed files leave the home plain, as `read` gives them.
absl::Status export_model(const ModelLibrary& library, const InstalledModel& model,
                          const std::string& target,
                          const std::function<void(std::uint64_t done)>& progress,
                          const ReadSealed& read = nullptr);

}  // namespace plinth::cluster
