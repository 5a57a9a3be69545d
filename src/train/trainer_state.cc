// What the trainer keeps of a run, and how it goes on.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "train/agreement.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

namespace plinth::train {

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

absl::Status Trainer::meet() {
  // One by one, so that an error names what differs.
  for (const auto& [name, value] : description())
    RETURN_IF_ERROR(agree_on(ranks_, base::to_json(value), std::string_view(name)));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CheckpointMatrix>> Trainer::whole_state(
    std::deque<Numbers<float>>& gathered) {
  std::vector<CheckpointMatrix> matrices;
  const bool keeps = ranks_.place().rank == 0;
  for (auto& moments : optimizer_.moments()) {
    auto& parameter = *moments.parameter;
    const auto add = [&](const char* kind, Numbers<float>& numbers) {
      matrices.push_back(
          {parameter.name + kind, parameter.rows, parameter.columns, numbers.data()});
    };
    add("", parameter.value);
    if (ranks_.place().ranks == 1) {
      add(".first_moment", moments.first);
      add(".second_moment", moments.second);
      continue;
    }
    // By way of the gradient, which nobody needs between two steps.
    for (auto [kind, own] : {std::pair(".first_moment", &moments.first),
                             std::pair(".second_moment", &moments.second)}) {
      std::copy(own->begin(), own->end(), parameter.grad.begin() + moments.own.begin);
      RETURN_IF_ERROR(ranks_.all_gather(parameter.grad));
      if (keeps) add(kind, gathered.emplace_back(parameter.grad));
    }
  }
  return matrices;
}

absl::Status Trainer::save(const std::string& folder, int keep) {
  std::deque<Numbers<float>> gathered;
  ASSIGN_OR_RETURN(const auto matrices, whole_state(gathered));
  absl::Status written;
  if (ranks_.place().rank == 0)
    written = write_checkpoint(folder, done(), description(), matrices, keep);
  return agree(ranks_, written);
}

absl::StatusOr<bool> Trainer::resume(const std::string& folder) {
  auto newest = newest_checkpoint(folder);
  RETURN_IF_ERROR(agree(ranks_, newest.status()));
  std::int64_t step = newest->value_or(-1);
  RETURN_IF_ERROR(agree_on(ranks_, std::to_string(step), "newest checkpoint"));
  if (step < 0) return false;
  std::vector<CheckpointMatrix> matrices;
  for (auto& moments : optimizer_.moments()) {
    auto& parameter = *moments.parameter;
    const auto add = [&](const char* kind, Numbers<float>& numbers, const Stretch& stretch) {
      matrices.push_back({parameter.name + kind, parameter.rows, parameter.columns, numbers.data(),
                          stretch.begin, stretch.end});
    };
    add("", parameter.value, {0, parameter.size()});
    add(".first_moment", moments.first, moments.own);
    add(".second_moment", moments.second, moments.own);
  }
  RETURN_IF_ERROR(agree(ranks_, read_checkpoint(folder, step, description(), matrices)));
  optimizer_.set_steps(step);
  return true;
}

}  // namespace plinth::train
