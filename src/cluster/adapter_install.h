// Adapters as installed models of their own, over a base that is installed too.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "cluster/model_library.h"
#include "cluster/model_puller.h"
#include "protocol/generate.h"

namespace plinth::cluster {

// The kind of such a model, in its manifest.
inline constexpr char kAdapterKind[] = "adapter";

struct AdapterSource {
  std::string name;    // what clients will call
  std::string base;    // an installed model
  std::string folder;  // as PEFT writes it; or a GGUF adapter's file, or what resolve_model() knows
  std::string license = {};  // "" = as the folder's own, or the base's where it says nothing
};

// Why the files at `adapter` are no adapter over the model at `base`: reading models is not this
// room's affair. Null = unchecked until it is loaded.
using CheckAdapter =
    std::function<absl::Status(const std::string& base, const std::string& adapter)>;

// Copies the adapter's files into the home and makes it visible at once and whole; replaces a model
// of that name. NotFound: no such base; FailedPrecondition: the base is an adapter itself or makes
// embeddings; else the check's error, and nothing is installed.
absl::StatusOr<InstalledModel> install_adapter(const ModelLibrary& library, ModelPuller& puller,
                                               const AdapterSource& source,
                                               const CheckAdapter& check,
                                               const PullProgress& progress);

// One whose weights are sealed content of a project.
struct SealedAdapter {
  std::string name, base;
  std::string config;     // adapter_config.json
  InstalledFile weights;  // its path does not count
  std::int64_t created_s = 0;
};
// As install_adapter(), of what was checked before.
absl::StatusOr<InstalledModel> install_sealed_adapter(const ModelLibrary& library,
                                                      const SealedAdapter& adapter);

// Where sealed content lies, and the key of that file alone; as it is now, since keys are changed.
struct SealedFile {
  std::string path, key;
};
// NotFound where it was deleted; FailedPrecondition where the keys of its project were destroyed.
using OpenSealed = std::function<absl::StatusOr<SealedFile>(const std::string& content)>;

// The model that it was installed over. FailedPrecondition where that is not there any more as it
// was: an adapter fits the weights that it was made for, and no others.
absl::StatusOr<InstalledModel> base_of_adapter(const ModelLibrary& library,
                                               const InstalledModel& adapter);

// How a worker finds it. The id and the paths are of its content; a sealed one's path and key are
// what open_weights() adds.
protocol::AdapterRef adapter_ref(const ModelLibrary& library, const InstalledModel& adapter);
// FailedPrecondition says why the weights of `content` cannot be read.
absl::Status open_weights(const OpenSealed& open, const std::string& content,
                          protocol::AdapterRef& ref);
// Both.
absl::StatusOr<protocol::AdapterRef> open_adapter_ref(const ModelLibrary& library,
                                                      const InstalledModel& adapter,
                                                      const OpenSealed& open);

}  // namespace plinth::cluster
