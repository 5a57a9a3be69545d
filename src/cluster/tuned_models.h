// What training begins with among the installed models, and where what it made becomes callable.
#pragma once

#include <string>

#include "base/status.h"
#include "base/storage.h"
#include "protocol/generate.h"

namespace plinth::cluster {

// An installed model as a run of training takes it: weights, and low-rank ones over them where it
// is an adapter.
struct TuningBase {
  std::string name;              // of the model whose weights these are
  std::string content;           // its InstalledModel::content()
  std::string path;              // of the weights
  protocol::AdapterRef adapter;  // id "" = none
};

// What a run left, in a folder as PEFT writes it.
struct TunedAdapter {
  std::string name;                   // what clients will call
  std::string organization, project;  // whose content its weights are
  TuningBase base;
  std::string folder;
  const base::Storage* storage = nullptr;  // how its weights lie there
};

// Thread-safe.
class TunedModels {
 public:
  virtual ~TunedModels() = default;
  // NotFound where it is not installed; FailedPrecondition where it is an adapter whose base is not
  // there any more as it was, or whose weights cannot be read.
  virtual absl::StatusOr<TuningBase> find(const std::string& model) = 0;
  // Callable over its base when this returns OK; a second time it replaces the first. NotFound or
  // FailedPrecondition where the base is not what it was trained over, or the project keeps
  // nothing.
  virtual absl::Status publish(const TunedAdapter& adapter) = 0;
  // With its weights. NotFound where there is none; FailedPrecondition where a legal hold keeps
  // them.
  virtual absl::Status remove(const std::string& name) = 0;
};

}  // namespace plinth::cluster
