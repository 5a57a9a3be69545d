// How the learning rate goes over a run.
#pragma once

#include <cstdint>

namespace plinth::train {

enum class Decay : std::uint8_t {
  constant,
  linear,  // to the least
  cosine,  // to the least. Loshchilov and Hutter, "SGDR", 2017
  wsd,     // stays, and falls over the last fifth. Hu et al., "MiniCPM", 2024
};

struct ScheduleOptions {
  double rate = 1e-4;  // the highest
  double least = 0;    // as a part of it
  std::int64_t warmup_steps = 0;
  Decay decay = Decay::linear;
};

// Of step `step` of `steps`, from 0 on: it rises linearly while warming up.
double learning_rate(const ScheduleOptions& options, std::int64_t step, std::int64_t steps);

}  // namespace plinth::train
