// The operations once, as templates of a tag: each instruction set's unit instantiates them with
// its own tag and compiler flags, and the loops over 16 lanes become its vectors.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/ops.h"

namespace plinth::tensor {

inline constexpr int kLanes = 16;

template <typename Tag>
struct OpsBody {
  // Sixteen partial sums and one fixed tree, whatever the vector width.
  static float tree(const float* lanes) {
    float eight[8], four[4];
    for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
  }

  static float dot(const float* a, const float* b, int n) {
    float lanes[kLanes] = {};
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) lanes[l] += a[i + l] * b[i + l];
    }
    for (int l = 0; i + l < n; ++l) lanes[l] += a[i + l] * b[i + l];
    return tree(lanes);
  }

  // exp for x <= 88, within 2 ulp; below -87 it is 0. Cody and Waite reduction, degree-6
  // polynomial.
  static float exp_approx(float x) {
    const float clamped = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
    const float shifted = clamped * 1.44269504f + 12582912.0f;  // 1.5 * 2^23 rounds to an integer
    const float n = shifted - 12582912.0f;
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const float value = p * r * r + r + 1.0f;
    const auto exponent =
        (std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(12582912.0f)) + 127;
    const float power = std::bit_cast<float>(exponent << 23);
    return x < -87.0f ? 0.0f : value * power;
  }

  static void rms_norm(const float* x, const float* w, float epsilon, int d, float* y) {
    const float scale = 1.0f / std::sqrt(dot(x, x, d) / static_cast<float>(d) + epsilon);
    for (int i = 0; i < d; ++i) y[i] = x[i] * scale * w[i];
  }

  static void silu_mul(float* gate, const float* up, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      gate[i] = gate[i] / (1.0f + exp_approx(-gate[i])) * up[i];
    }
  }

  static void add(float* x, const float* y, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) x[i] += y[i];
  }

  static void rope(float* head, const float* cosine, const float* sine, int dimensions,
                   bool half_split) {
    const int half = dimensions / 2;
    if (half_split) {
      for (int i = 0; i < half; ++i) {
        const float a = head[i], b = head[i + half];
        head[i] = a * cosine[i] - b * sine[i];
        head[i + half] = a * sine[i] + b * cosine[i];
      }
      return;
    }
    for (int i = 0; i < half; ++i) {
      const float a = head[2 * i], b = head[2 * i + 1];
      head[2 * i] = a * cosine[i] - b * sine[i];
      head[2 * i + 1] = a * sine[i] + b * cosine[i];
    }
  }

  static void attention(const AttentionArgs& args) {
    const int e = args.head_width;
    const int padded = (args.positions + kPageTokens - 1) / kPageTokens * kPageTokens;
    for (int h = 0; h < args.group; ++h) {
      const float* q = args.q + h * e;
      float* scores = args.scores + static_cast<std::int64_t>(h) * padded;
      for (int p = 0; p < args.positions; ++p) {
        const float* k = args.k_pages[p / kPageTokens] + (p % kPageTokens) * e;
        scores[p] = dot(q, k, e) * args.scale;
      }
      for (int p = args.positions; p < padded; ++p) scores[p] = -INFINITY;
      softmax(scores, padded);
      float* out = args.out + h * e;
      for (int i = 0; i < e; ++i) out[i] = 0;
      for (int p = 0; p < args.positions; ++p) {
        const float* v = args.v_pages[p / kPageTokens] + (p % kPageTokens) * e;
        const float weight = scores[p];
        for (int i = 0; i < e; ++i) out[i] += weight * v[i];
      }
    }
  }

  // In place; n is a multiple of 16, padding is -infinity.
  static void softmax(float* scores, int n) {
    float top[kLanes];
    for (int l = 0; l < kLanes; ++l) top[l] = scores[l];
    for (int p = kLanes; p < n; p += kLanes) {
      for (int l = 0; l < kLanes; ++l) top[l] = scores[p + l] > top[l] ? scores[p + l] : top[l];
    }
    float largest = top[0];
    for (int l = 1; l < kLanes; ++l) largest = top[l] > largest ? top[l] : largest;
    float lanes[kLanes] = {};
    for (int p = 0; p < n; p += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        scores[p + l] = exp_approx(scores[p + l] - largest);
        lanes[l] += scores[p + l];
      }
    }
    const float inverse = 1.0f / tree(lanes);
    for (int p = 0; p < n; ++p) scores[p] *= inverse;
  }

  static constexpr Ops kTable = {rms_norm, silu_mul, add, rope, attention};
};

extern const Ops kScalarOps;
extern const Ops kAvx2Ops;
extern const Ops kAvx512Ops;

}  // namespace plinth::tensor
