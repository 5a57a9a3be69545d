// What a decoder makes of a few tokens, and how far that is from what another does.
#pragma once

#include <cmath>
#include <vector>

#include "train/decoder.h"

namespace plinth::train {

// All that learns gets numbers that change every output: an adapter's second half begins with
// zeros.
inline void fill(Decoder<float>& decoder) {
  int i = 0;
  for (auto& parameter : decoder.parameters().all()) {
    for (std::size_t n = 0; parameter.learns() && n < parameter.value.size(); ++n)
      parameter.value[n] = 0.3f * std::sin(static_cast<float>(++i));
  }
}

inline std::vector<float> logits(Decoder<float>& decoder) {
  base::ThreadPool threads(1);
  Compute compute(threads);
  Tape<float> tape(compute);
  tape.set_recording(false);
  Batch batch;
  batch.ids = {5, 17, 60, 3, 3, 91};
  batch.documents = {{0, 6}};
  const auto& hidden = decoder.hidden(tape, batch, Recompute::none);
  std::vector<float> out(static_cast<std::size_t>(6 * decoder.spec().vocab));
  head_logits(hidden, 0, 6, decoder.head(), decoder.head_shape(), out.data(), compute);
  return out;
}

// As a part of b's norm.
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(sum / norm);
}

}  // namespace plinth::train
