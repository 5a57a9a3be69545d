// The weights of tuned models, which are sealed content of their projects.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/status.h"
#include "base/storage.h"
#include "cluster/adapter_install.h"
#include "cluster/tuned_models.h"
#include "governance/content_store.h"

namespace plinth {

// Thread-safe.
class SealedModels {
 public:
  // The reference outlives it.
  explicit SealedModels(governance::ContentStore& content) : content_(content) {}

  // Errors of all are as cluster::OpenSealed has them; DataLoss where a file is damaged.
  absl::StatusOr<cluster::SealedFile> open(const std::string& content);
  absl::StatusOr<base::FileBytes> read(const std::string& content);
  // Whether it is what was sealed, and opens.
  absl::Status verify(const std::string& content);
  // Seals the weights of `adapter`. The id is made of its name: what an earlier try left is taken
  // as it is, or replaced.
  absl::StatusOr<cluster::InstalledFile> keep(const cluster::TunedAdapter& adapter,
                                              std::string_view weights);
  // OK where it is not there. FailedPrecondition where a legal hold is on it.
  absl::Status remove(const std::string& content);

 private:
  governance::ContentStore& content_;
  std::mutex mutex_;
  std::map<std::string, governance::OpenBody> opened_;  // by id of content; protected by mutex_
};

}  // namespace plinth
