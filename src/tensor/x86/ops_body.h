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

  // x * (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x * sigmoid(2 u).
  static float gelu_gate(float x) {
    const float u = 0.797884561f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exp_approx(-2.0f * u));
  }

  static void gelu_tanh_mul(float* gate, const float* up, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) gate[i] = gelu_gate(gate[i]) * up[i];
  }

  // Within 2 ulp: an odd polynomial near 0, where 1 - 2 / (1 + exp(2 x)) would cancel.
  static float tanh_approx(float x) {
    const float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const float near = p * z * x + x;
    const float far = 1.0f - 2.0f / (1.0f + exp_approx(2.0f * x));
    return z < 0.390625f ? near : far;
  }

  static void softcap(float* x, float cap, std::int64_t n) {
    const float inverse = 1.0f / cap;
    for (std::int64_t i = 0; i < n; ++i) x[i] = cap * tanh_approx(x[i] * inverse);
  }

  static void scale(float* x, float factor, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
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
    // Scores are kept from the start of the page that holds `first`.
    const int origin = args.first / kPageTokens * kPageTokens;
    const int padded = round_up_to_page(args.positions) - origin;
    for (int h = 0; h < args.group; ++h) {
      const float* q = args.q + h * e;
      float* scores = args.scores + static_cast<std::int64_t>(h) * padded;
      for (int p = origin; p < args.first; ++p) scores[p - origin] = -INFINITY;
      for (int p = args.first; p < args.positions; ++p) {
        const float* k = args.k_pages[p / kPageTokens] + (p % kPageTokens) * e;
        scores[p - origin] = dot(q, k, e) * args.scale;
      }
      if (args.softcap > 0) {
        softcap(scores + args.first - origin, args.softcap, args.positions - args.first);
      }
      for (int p = args.positions - origin; p < padded; ++p) scores[p] = -INFINITY;
      softmax(scores, padded);
      float* out = args.out + h * e;
      for (int i = 0; i < e; ++i) out[i] = 0;
      for (int p = args.first; p < args.positions; ++p) {
        const float* v = args.v_pages[p / kPageTokens] + (p % kPageTokens) * e;
        const float weight = scores[p - origin];
        for (int i = 0; i < e; ++i) out[i] += weight * v[i];
      }
    }
  }

  static int round_up_to_page(int positions) {
    return (positions + kPageTokens - 1) / kPageTokens * kPageTokens;
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

  static constexpr Ops kTable = {
      .rms_norm = rms_norm,
      .silu_mul = silu_mul,
      .gelu_tanh_mul = gelu_tanh_mul,
      .softcap = softcap,
      .scale = scale,
      .add = add,
      .rope = rope,
      .attention = attention,
  };
};

extern const Ops kScalarOps;
extern const Ops kAvx2Ops;
extern const Ops kAvx512Ops;

}  // namespace plinth::tensor
