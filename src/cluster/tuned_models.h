// Where models that training made become callable, and go again.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::cluster {

// Thread-safe.
class TunedModels {
 public:
  virtual ~TunedModels() = default;
  // `folder` is what a run left: model.gguf, and adapter/ beside it. Callable by `name` when this
  // returns OK; a second time it replaces the first.
  virtual absl::Status publish(const std::string& name, const std::string& folder) = 0;
  // NotFound where there is none.
  virtual absl::Status remove(const std::string& name) = 0;
};

}  // namespace plinth::cluster
