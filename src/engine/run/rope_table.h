// Cosines and sines of every position, made as far as positions are used.
#pragma once

#include <cmath>
#include <vector>

#include "model/decoder_spec.h"

namespace plinth::engine {

class RopeTable {
 public:
  explicit RopeTable(const model::RopeSpec& spec) : spec_(spec), half_(spec.dimensions / 2) {}

  // Makes rows for positions below `positions`. Not thread-safe; cosine() and sine() are,
  // afterwards.
  void reserve(int positions) {
    for (; made_ < positions; ++made_) {
      for (int i = 0; i < half_; ++i) {
        double frequency = std::pow(static_cast<double>(spec_.base), -2.0 * i / spec_.dimensions);
        if (!spec_.frequency_factors.empty()) {
          frequency /= static_cast<double>(spec_.frequency_factors[static_cast<std::size_t>(i)]);
        }
        const double angle = made_ / static_cast<double>(spec_.linear_factor) * frequency;
        cosine_.push_back(static_cast<float>(std::cos(angle)));
        sine_.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
  const float* cosine(int position) const { return cosine_.data() + position * half_; }
  const float* sine(int position) const { return sine_.data() + position * half_; }

 private:
  const model::RopeSpec spec_;
  const int half_;
  int made_ = 0;
  std::vector<float> cosine_, sine_;
};

}  // namespace plinth::engine
