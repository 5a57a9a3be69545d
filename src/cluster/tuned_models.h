// What training begins with among the installed models, and where what it made becomes callable.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::cluster {

// An installed model as a run of training takes it: weights, and low-rank ones over them where it
// is an adapter.
struct TuningBase {
  std::string name;          // of the model whose weights these are
  std::string content;       // its InstalledModel::content()
  std::string path;          // of the weights
  std::string adapter_path;  // what model::adapter_paths() takes; "" = none
  std::string adapter_content = {};
};

// Thread-safe.
class TunedModels {
 public:
  virtual ~TunedModels() = default;
  // NotFound where it is not installed; FailedPrecondition where it is an adapter whose base is not
  // there any more as it was.
  virtual absl::StatusOr<TuningBase> find(const std::string& model) = 0;
  // `folder` is an adapter as PEFT writes it. Callable by `name` over `base` when this returns OK;
  // a second time it replaces the first. NotFound or FailedPrecondition where the base is not what
  // it was trained over.
  virtual absl::Status publish(const std::string& name, const TuningBase& base,
                               const std::string& folder) = 0;
  // NotFound where there is none.
  virtual absl::Status remove(const std::string& name) = 0;
};

}  // namespace plinth::cluster
