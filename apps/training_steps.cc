#include "apps/training_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "train/checkpoint.h"

namespace plinth {

namespace {

constexpr int kCheckpointsKept = 2;

absl::Status save(const StepsOptions& options, train::Trainer& trainer) {
  RETURN_IF_ERROR(options.save());
  return trainer.save(checkpoints_of(options.folder), kCheckpointsKept);
}

}  // namespace

int training_threads(int asked) {
  return asked > 0 ? asked : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

tensor::GemmPrecision training_precision(bool f32) {
  const bool bf16 = !f32 && tensor::multiplies_bfloat(tensor::best_isa());
  return bf16 ? tensor::GemmPrecision::bf16 : tensor::GemmPrecision::f32;
}

std::string checkpoints_of(const std::string& folder) { return folder + "/checkpoints"; }

absl::Status begin_run(const std::string& folder, ResumeMode resume, train::Trainer& trainer) {
  ASSIGN_OR_RETURN(const auto newest, train::newest_checkpoint(checkpoints_of(folder)));
  if (resume == ResumeMode::never && newest) {
    return base::failed_precondition(
        fmt::format("{} holds a run that was stopped after step {}: --resume goes on with it, and "
                    "another folder begins anew",
                    folder, *newest));
  }
  if (resume == ResumeMode::never) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool resumed, trainer.resume(checkpoints_of(folder)));
  if (!resumed && resume == ResumeMode::must)
    return base::failed_precondition(fmt::format("{} holds no run to go on with", folder));
  return absl::OkStatus();
}

absl::Status run_steps(const StepsOptions& options, train::Trainer& trainer) {
  while (trainer.done() < trainer.steps()) {
    if (options.asked_to_stop()) {
      RETURN_IF_ERROR(save(options, trainer));
      return absl::CancelledError(base::to_absl(
          fmt::format("stopped after step {} of {}; the same command with --resume goes on",
                      trainer.done(), trainer.steps())));
    }
    ASSIGN_OR_RETURN(const auto report, trainer.step());
    options.after_step(report);
    const bool is_last = trainer.done() == trainer.steps();
    if (options.checkpoint_steps > 0 && !is_last &&
        trainer.done() % options.checkpoint_steps == 0) {
      RETURN_IF_ERROR(save(options, trainer));
    }
  }
  return absl::OkStatus();
}

}  // namespace plinth
