// Tuned models in a backup: what is installed of each beside its sealed weights, which are among
// the content. Their bases are named by their digests and not copied.
//
//   BACKUP/tuned_models.json   {"models": [{"manifest": TOML, "files": {PATH: TEXT}}]}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cluster/model_library.h"

namespace plinth {

inline constexpr char kTunedModelsList[] = "tuned_models.json";
// Two kilobytes each, of governance::kTunedModelsMax in each of a thousand projects.
inline constexpr std::size_t kTunedModelsBytesMax = std::size_t{1} << 30;

struct BackedUpModel {
  cluster::InstalledModel model;
  std::vector<std::pair<std::string, std::string>> files;  // path and text of those not sealed
};

// "" where no model of the library is sealed.
absl::StatusOr<std::string> list_tuned_models(const cluster::ModelLibrary& library);
// InvalidArgument or DataLoss says what is wrong: a name that leads out of its folder, a text that
// is not the manifest's.
absl::StatusOr<std::vector<BackedUpModel>> parse_tuned_models(std::string_view json);
// What the library has of a name already, it keeps.
absl::Status restore_tuned_models(const cluster::ModelLibrary& library,
                                  const std::vector<BackedUpModel>& models);

}  // namespace plinth
