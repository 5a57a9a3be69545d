// What the trainer keeps of a run, and how it goes on.
#include <vector>

#include "train/checkpoint.h"
#include "train/trainer.h"

namespace plinth::train {

namespace {

std::vector<CheckpointMatrix> matrices_of(AdamW<float>& optimizer) {
  std::vector<CheckpointMatrix> matrices;
  for (auto& moments : optimizer.moments()) {
    auto& parameter = *moments.parameter;
    const auto add = [&](const char* kind, Numbers<float>& numbers) {
      matrices.push_back(
          {parameter.name + kind, parameter.rows, parameter.columns, numbers.data()});
    };
    add("", parameter.value);
    add(".first_moment", moments.first);
    add(".second_moment", moments.second);
  }
  return matrices;
}

}  // namespace

base::json::object Trainer::description() const {
  const auto& schedule = options_.schedule;
  base::json::object run;
  objective_.describe(run);
  const base::json::object options{
      {"epochs", options_.epochs},
      {"steps", options_.steps},
      {"batch_size", options_.batch_size},
      {"pass_tokens", options_.pass_tokens},
      {"learning_rate", schedule.rate},
      {"least_rate", schedule.least},
      {"warmup_steps", schedule.warmup_steps},
      {"decay", static_cast<int>(schedule.decay)},
      {"beta1", options_.adamw.beta1},
      {"beta2", options_.adamw.beta2},
      {"epsilon", options_.adamw.epsilon},
      {"weight_decay", options_.adamw.weight_decay},
      {"clip_norm", options_.clip_norm},
      {"seed", options_.seed},
      {"isa", tensor::isa_name(compute_.isa)},
      {"precision", compute_.precision == tensor::GemmPrecision::bf16 ? "bf16" : "f32"}};
  for (const auto& [name, value] : options) run[name] = value;
  return run;
}

absl::Status Trainer::save(const std::string& folder, int keep) {
  return write_checkpoint(folder, done(), description(), matrices_of(optimizer_), keep);
}

absl::StatusOr<bool> Trainer::resume(const std::string& folder) {
  ASSIGN_OR_RETURN(const auto step, newest_checkpoint(folder));
  if (!step) return false;
  RETURN_IF_ERROR(read_checkpoint(folder, *step, description(), matrices_of(optimizer_)));
  optimizer_.set_steps(*step);
  return true;
}

}  // namespace plinth::train
