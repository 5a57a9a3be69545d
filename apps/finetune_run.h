// One run of `plinth finetune`, and what it shows on the way.
#pragma once

#include <string>

#include "apps/training_run.h"
#include "base/clock.h"
#include "base/status.h"

namespace plinth {

struct FinetuneOptions {
  std::string data, valid;  // files; valid may be ""
  TrainingRunOptions run;
  bool json = false;
};

// Leaves an adapter in PEFT's form where there is one, the tuned model, and the losses as CSV.
// Returns the path of that model. SIGINT and SIGTERM leave a checkpoint: Cancelled says how to go
// on.
absl::StatusOr<std::string> run_finetune(const FinetuneOptions& options, const base::Clock& clock,
                                         train::Collective& ranks);

}  // namespace plinth
