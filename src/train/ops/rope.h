// Rotary positions, backward too. Su et al., "RoFormer", 2021.
#pragma once

#include <vector>

#include "model/decoder_spec.h"
#include "train/batch.h"
#include "train/tape.h"

namespace plinth::train {

// The angles of a batch's tokens, as the serving engine has them.
template <typename T>
struct RopeAngles {
  int dimensions = 0;
  bool half_split = false;
  std::vector<T> cosine, sine;  // [m, dimensions / 2], times the attention factor
};

// A document longer than the original context turns at LongRoPE's long frequencies.
template <typename T>
RopeAngles<T> rope_angles(const model::RopeSpec& spec, const Batch& batch);

// Each head of x, [m, heads * head_width], turned.
template <typename T>
Var<T>& rope(Tape<T>& tape, Var<T>& x, const RopeAngles<T>& angles, std::int64_t head_width);

}  // namespace plinth::train
