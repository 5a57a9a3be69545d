#include "tensor/quant/fit.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tensor/quant/blocks.h"

namespace plinth::tensor::quant {

namespace {

// Candidates on each side of the scale that just covers the range, and their distance in steps of
// the integers: a scale that clips the largest value a little can fit the others better.
constexpr int kCandidates = 8;
constexpr float kCandidateStep = 0.1f;

float of_largest_magnitude(const float* x, int count) {
  return *std::max_element(x, x + count,
                           [](float a, float b) { return std::fabs(a) < std::fabs(b); });
}

// For integers q chosen with any scale, the best scale is <x,q> / <q,q>, and it explains
// <x,q>^2 / <q,q> of <x,x>.
template <typename Choose>
float search_scale(const float* x, int count, float extreme, Choose choose) {
  const float largest = of_largest_magnitude(x, count);
  if (largest == 0) return 0;
  float best = 0, most = -1;
  for (int i = -kCandidates; i <= kCandidates; ++i) {
    const float d = largest / (extreme + kCandidateStep * static_cast<float>(i));
    float xq = 0, qq = 0;
    for (int j = 0; j < count; ++j) {
      const float q = choose(x[j], d);
      xq += x[j] * q;
      qq += q * q;
    }
    if (qq > 0 && xq * xq > most * qq) {
      most = xq * xq / qq;
      best = xq / qq;
    }
  }
  return best;
}

float squared_error(const float* x, int count, int levels, Affine fit) {
  float sum = 0;
  for (int j = 0; j < count; ++j) {
    const float e = x[j] - fit.d * static_cast<float>(nearest(x[j], fit, 0, levels)) - fit.m;
    sum += e * e;
  }
  return sum;
}

}  // namespace

int nearest(float x, Affine fit, int low, int high) {
  if (fit.d == 0) return std::clamp(0, low, high);
  const float q = std::nearbyint((x - fit.m) / fit.d);
  return static_cast<int>(std::clamp(q, static_cast<float>(low), static_cast<float>(high)));
}

int nearest_iq4(float x, float d) {
  if (d == 0) return 8;
  const float v = x / d;
  const auto* begin = std::begin(kIq4Values);
  const auto* end = std::end(kIq4Values);
  const auto* above = std::lower_bound(begin, end, v, [](std::int8_t entry, float value) {
    return static_cast<float>(entry) < value;
  });
  if (above == begin) return 0;
  const auto index = static_cast<int>(above - begin);
  if (above == end) return index - 1;
  const bool upper = static_cast<float>(above[0]) - v < v - static_cast<float>(above[-1]);
  return upper ? index : index - 1;
}

Affine fit_affine(const float* x, int count, int levels, float offset_max) {
  const auto [low, high] = std::minmax_element(x, x + count);
  Affine best{0, std::min(*low, offset_max)};
  best.d = std::max(*high - best.m, 0.0f) / static_cast<float>(levels);
  if (best.d == 0) return best;
  float least = squared_error(x, count, levels, best);
  // Least squares over the integers chosen so far, while that improves.
  for (int round = 0; round < 3; ++round) {
    float q1 = 0, q2 = 0, x1 = 0, xq = 0;
    for (int j = 0; j < count; ++j) {
      const auto q = static_cast<float>(nearest(x[j], best, 0, levels));
      q1 += q;
      q2 += q * q;
      x1 += x[j];
      xq += x[j] * q;
    }
    const auto n = static_cast<float>(count);
    const float determinant = n * q2 - q1 * q1;
    if (determinant <= 0) break;
    Affine next{(n * xq - q1 * x1) / determinant, (q2 * x1 - q1 * xq) / determinant};
    if (next.m > offset_max && q2 > 0) next = {xq / q2 - offset_max * q1 / q2, offset_max};
    if (!(next.d > 0)) break;
    const float error = squared_error(x, count, levels, next);
    if (!(error < least)) break;
    least = error;
    best = next;
  }
  return best;
}

float fit_scale(const float* x, int count, int low, int high) {
  return search_scale(x, count, static_cast<float>(low), [&](float value, float d) {
    return static_cast<float>(nearest(value, {d, 0}, low, high));
  });
}

float fit_iq4_scale(const float* x, int count) {
  // In units of the code book's extreme, a tenth of a step of four bits is about two.
  return search_scale(x, count, static_cast<float>(kIq4Values[0]), [](float value, float d) {
    return static_cast<float>(kIq4Values[nearest_iq4(value, d)]);
  });
}

}  // namespace plinth::tensor::quant
