#include "apps/training_steps.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "train/agreement.h"
#include "train/checkpoint.h"

namespace plinth {

namespace {

constexpr int kCheckpointsKept = 2;

// What it began is written while steps go on.
absl::Status save(const StepsOptions& options, train::Trainer& trainer) {
  const bool keeps = trainer.ranks().place().rank == 0;
  RETURN_IF_ERROR(train::agree(trainer.ranks(), keeps ? options.save() : absl::OkStatus()));
  return trainer.begin_save(checkpoints_of(options.folder), kCheckpointsKept, *options.storage);
}

}  // namespace

int training_threads(int asked, const train::Collective& ranks) {
  if (asked > 0) return asked;
  const int usable = static_cast<int>(std::thread::hardware_concurrency());
  // A launcher that binds has already divided them.
  const bool bound = usable < ::sysconf(_SC_NPROCESSORS_ONLN);
  return std::max(1, bound ? usable : usable / ranks.ranks_here());
}

tensor::GemmPrecision training_precision(bool f32) {
  const bool bf16 = !f32 && tensor::multiplies_bfloat(tensor::best_isa());
  return bf16 ? tensor::GemmPrecision::bf16 : tensor::GemmPrecision::f32;
}

std::string checkpoints_of(const std::string& folder) { return folder + "/checkpoints"; }

absl::Status begin_run(const std::string& folder, ResumeMode resume, train::Trainer& trainer,
                       const base::Storage& storage) {
  RETURN_IF_ERROR(trainer.meet());
  const auto newest = train::newest_checkpoint(checkpoints_of(folder));
  RETURN_IF_ERROR(train::agree(trainer.ranks(), newest.status()));
  if (resume == ResumeMode::never && *newest) {
    return base::failed_precondition(
        fmt::format("{} holds a run that was stopped after step {}: --resume goes on with it, and "
                    "another folder begins anew",
                    folder, **newest));
  }
  if (resume == ResumeMode::never) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool resumed, trainer.resume(checkpoints_of(folder), storage));
  if (!resumed && resume == ResumeMode::must)
    return base::failed_precondition(fmt::format("{} holds no run to go on with", folder));
  return absl::OkStatus();
}

std::string skipped_line(const train::StepReport& report) {
  return fmt::format(
      "step {} is a spike and was not taken: loss {:.4f}, norm of the gradient {:.4f}", report.step,
      report.loss.mean(), report.gradient_norm);
}

absl::Status run_steps(const StepsOptions& options, train::Trainer& trainer) {
  while (trainer.done() < trainer.steps()) {
    ASSIGN_OR_RETURN(const bool stops, train::any(trainer.ranks(), options.asked_to_stop()));
    if (stops) {
      RETURN_IF_ERROR(save(options, trainer));
      RETURN_IF_ERROR(trainer.finish_save());
      return absl::CancelledError(base::to_absl(
          fmt::format("stopped after step {} of {}; the same command with --resume goes on",
                      trainer.done(), trainer.steps())));
    }
    ASSIGN_OR_RETURN(const auto report, trainer.step());
    RETURN_IF_ERROR(options.after_step(report));
    const bool is_last = trainer.done() == trainer.steps();
    if (options.checkpoint_steps > 0 && !is_last &&
        trainer.done() % options.checkpoint_steps == 0) {
      RETURN_IF_ERROR(save(options, trainer));
    }
  }
  return trainer.finish_save();
}

}  // namespace plinth
