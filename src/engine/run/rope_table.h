// Cosines and sines of every position, made as far as positions are used.
#pragma once

#include <cmath>
#include <vector>

#include "model/decoder_spec.h"

namespace plinth::engine {

class RopeTable {
 public:
  // `frequencies` are one of the spec's two sets.
  RopeTable(const model::RopeSpec& spec, const std::vector<double>& frequencies)
      : spec_(spec), frequencies_(frequencies) {}

  int dimensions() const { return spec_.dimensions; }
  bool half_split() const { return spec_.half_split; }

  // Makes rows for positions below `positions`. Not thread-safe; cosine() and sine() are,
  // afterwards.
  void reserve(int positions) {
    for (; made_ < positions; ++made_) {
      for (const double frequency : frequencies_) {
        const double angle = made_ * frequency;
        const double factor = spec_.attention_factor;
        cosine_.push_back(static_cast<float>(std::cos(angle) * factor));
        sine_.push_back(static_cast<float>(std::sin(angle) * factor));
      }
    }
  }
  const float* cosine(int position) const { return cosine_.data() + row(position); }
  const float* sine(int position) const { return sine_.data() + row(position); }

 private:
  std::size_t row(int position) const {
    return static_cast<std::size_t>(position) * frequencies_.size();
  }
  const model::RopeSpec& spec_;
  const std::vector<double>& frequencies_;
  int made_ = 0;
  std::vector<float> cosine_, sine_;
};

}  // namespace plinth::engine
