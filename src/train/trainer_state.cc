// What the trainer keeps of a run, and how it goes on.
#include <fmt/format.h>

#include <vector>

#include "train/checkpoint.h"
#include "train/trainer.h"

namespace plinth::train {

namespace {

// FNV-1a over the tokens and what of them is learnt.
std::uint64_t fingerprint(const Dataset& data) {
  std::uint64_t hash = 14695981039346656037ull;
  const auto add = [&](std::uint64_t number) { hash = (hash ^ number) * 1099511628211ull; };
  for (const auto& example : data.examples()) {
    add(example.ids.size());
    for (std::size_t i = 0; i < example.ids.size(); ++i) {
      add(static_cast<std::uint64_t>(example.ids[i]));
      add(example.learnt[i] ? 1 : 0);
    }
  }
  return hash;
}

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
  return {{"data", fmt::format("{:016x}", fingerprint(data_))},
          {"examples", data_.report().examples},
          {"epochs", options_.epochs},
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
