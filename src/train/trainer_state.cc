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
      {"short_moments", options_.adamw.short_moments},
      {"muon", options_.muon},
      {"spike_guard", options_.spike_guard.on},
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

std::vector<Trainer::StatePart> Trainer::state_parts() {
  std::vector<StatePart> parts;
  for (auto& moments : optimizer_.moments()) {
    for (auto [kind, array] : {std::pair(".first_moment", &moments.first),
                               std::pair(".second_moment", &moments.second)}) {
      parts.push_back(
          {moments.parameter, kind, moments.own,
           [array = array](float* to) { array->load(0, array->size(), to); },
           // What was short before is so again without a rest that chance decides.
           [array = array](const float* from) { array->store(0, array->size(), from, 0); }});
    }
  }
  if (!muon_) return parts;
  for (auto& momentum : muon_->momenta()) {
    auto* values = &momentum.values;
    parts.push_back(
        {momentum.parameter, ".momentum", momentum.own,
         [values](float* to) { std::copy(values->begin(), values->end(), to); },
         [values](const float* from) { std::copy_n(from, values->size(), values->begin()); }});
  }
  return parts;
}

absl::Status Trainer::begin_save(const std::string& folder, int keep,
                                 const base::Storage& storage) {
  RETURN_IF_ERROR(finish_save());
  const bool keeps = ranks_.place().rank == 0;
  const auto add = [&](std::string name, std::int64_t rows, std::int64_t columns,
                       const Numbers<float>& numbers) {
    if (!keeps) return;
    auto& copy = snapshot_.numbers.emplace_back(numbers);
    snapshot_.matrices.push_back({std::move(name), rows, columns, copy.data()});
  };
  for (const auto& parameter : decoder_.parameters().all()) {
    if (parameter.learns()) add(parameter.name, parameter.rows, parameter.columns, parameter.value);
  }
  for (const auto& part : state_parts()) {
    // By way of the gradient, which nobody needs between two steps.
    auto& parameter = *part.parameter;
    part.get(parameter.grad.data() + part.own.begin);
    RETURN_IF_ERROR(ranks_.all_gather(parameter.grad));
    add(parameter.name + part.kind, parameter.rows, parameter.columns, parameter.grad);
  }
  const auto window = spike_guard_.options().window;
  add("spike_guard", 2, window, spike_guard_.remembered());
  saving_ = true;
  if (!keeps) return absl::OkStatus();
  writer_ = std::thread([this, folder, keep, &storage, step = done(), run = description()] {
    written_ = write_checkpoint(folder, step, run, snapshot_.matrices, keep, storage);
    snapshot_ = {};  // as much memory as what learns
  });
  return absl::OkStatus();
}

absl::Status Trainer::finish_save() {
  if (!std::exchange(saving_, false)) return absl::OkStatus();
  if (writer_.joinable()) writer_.join();
  return agree(ranks_, std::exchange(written_, absl::OkStatus()));
}

absl::StatusOr<bool> Trainer::resume(const std::string& folder, const base::Storage& storage) {
  auto newest = newest_checkpoint(folder);
  RETURN_IF_ERROR(agree(ranks_, newest.status()));
  std::int64_t step = newest->value_or(-1);
  RETURN_IF_ERROR(agree_on(ranks_, std::to_string(step), "newest checkpoint"));
  if (step < 0) return false;
  std::vector<CheckpointMatrix> matrices;
  for (auto& parameter : decoder_.parameters().all()) {
    if (!parameter.learns()) continue;
    matrices.push_back({parameter.name, parameter.rows, parameter.columns, parameter.value.data()});
  }
  std::deque<Numbers<float>> read;
  const auto parts = state_parts();
  for (const auto& part : parts) {
    auto& numbers = read.emplace_back(static_cast<std::size_t>(part.own.size()));
    matrices.push_back({part.parameter->name + part.kind, part.parameter->rows,
                        part.parameter->columns, numbers.data(), part.own.begin, part.own.end});
  }
  matrices.push_back(
      {"spike_guard", 2, spike_guard_.options().window, spike_guard_.remembered().data()});
  RETURN_IF_ERROR(agree(ranks_, read_checkpoint(folder, step, description(), matrices, storage)));
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i].set(read[i].data());
  optimizer_.set_steps(step);
  spike_guard_.set_steps(step);
  return true;
}

}  // namespace plinth::train
