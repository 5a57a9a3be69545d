// Scales for a run of floats: the integers that come with them are the nearest ones.
#pragma once

#include <cstdint>

namespace plinth::tensor::quant {

struct Affine {
  float d = 0;  // x ~ d * q + m
  float m = 0;
};

// Integers 0..levels with the least squared error found. `offset_max`: the largest m; K-quants
// store -m and want m <= 0.
Affine fit_affine(const float* x, int count, int levels, float offset_max);

// Integers low..high with low < 0 < high, m = 0.
float fit_scale(const float* x, int count, int low, int high);

// Entries of kIq4Values, m = 0.
float fit_iq4_scale(const float* x, int count);

// The nearest integer to (x - m) / d in low..high; 0 within the range where d is 0.
int nearest(float x, Affine fit, int low, int high);
// The index of the entry of kIq4Values that is nearest to x / d.
int nearest_iq4(float x, float d);

}  // namespace plinth::tensor::quant
