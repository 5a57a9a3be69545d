// The steps of a run, with its checkpoints: what every command and job that trains has in common.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "base/storage.h"
#include "train/compute.h"
#include "train/trainer.h"

namespace plinth {

enum class ResumeMode : std::uint8_t {
  never,       // FailedPrecondition where the folder holds a run
  must,        // FailedPrecondition where it holds none
  if_present,  // goes on where it can
};

// Of one rank: as many as were asked for, or where that is 0 its part of what the machine has.
int training_threads(int asked, const train::Collective& ranks);
// BF16 where the machine multiplies it and fp32 was not asked for.
tensor::GemmPrecision training_precision(bool f32);

// Where checkpoints of a run in `folder` lie.
std::string checkpoints_of(const std::string& folder);

// Goes on with the run in `folder`, or begins where nothing would be lost. All ranks do what is
// here, and all or none go on.
absl::Status begin_run(const std::string& folder, ResumeMode resume, train::Trainer& trainer,
                       const base::Storage& storage = base::plain_storage());

struct StepsOptions {
  std::string folder;
  const base::Storage* storage = &base::plain_storage();  // of checkpoints; outlives the steps
  std::int64_t checkpoint_steps = 50;  // between two checkpoints; 0 = only where it is stopped
  std::function<bool()> asked_to_stop;
  std::function<absl::Status(const train::StepReport&)> after_step;
  // Before a checkpoint, at rank 0: what is kept of a run beside it.
  std::function<absl::Status()> save;
};

// What is said of a step that was not taken.
std::string skipped_line(const train::StepReport& report);

// Until the last one. Cancelled, at all ranks, where one was asked to stop: a checkpoint is there
// then.
absl::Status run_steps(const StepsOptions& options, train::Trainer& trainer);

}  // namespace plinth
