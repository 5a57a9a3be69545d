// The key of what a fine-tuning job keeps on the disk while it is at work: content of its project,
// so that shredding, retention and new keys of the project are about it, too.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "governance/governance.h"
#include "governance/sealed_storage.h"

namespace plinth {

// Raw, for the job in `folder`; made where the job has none. FailedPrecondition says why there is
// none: the project keeps no data, or what the job had is gone for good.
absl::StatusOr<std::string> tuning_key(governance::Governance& governance,
                                       const store::TuningJobRow& job, const std::string& folder);

// FailedPrecondition where the job in `folder` had a key, and nobody can read it any more. Other
// errors say that it is not known.
absl::Status check_tuning_key(governance::Governance& governance, const std::string& job,
                              const std::string& folder);

// Destroys the key, then the folder. What fails is tried again with the next folder that is found.
void forget_tuning_folder(governance::Governance& governance, const std::string& job,
                          const std::string& folder);

}  // namespace plinth
