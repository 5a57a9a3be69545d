// What all ranks of a run decide together, so that none goes on where another has stopped.
#pragma once

#include "base/status.h"
#include "train/collective.h"

namespace plinth::train {

// OK where all ranks came with OK; else what the first that did not came with, named ("rank 2: no
// space left") unless it is rank 0. The same on all ranks, and is_agreed().
absl::Status agree(Collective& ranks, const absl::Status& mine);
// All ranks know this error: nobody waits for this one.
bool is_agreed(const absl::Status& status);

// Whether it is so at any rank.
absl::StatusOr<bool> any(Collective& ranks, bool mine);

// FailedPrecondition where a rank came with another text than rank 0, which it names.
absl::Status agree_on(Collective& ranks, const std::string& text, std::string_view what);

}  // namespace plinth::train
