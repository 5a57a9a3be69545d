// The operations once, as templates of a tag: each instruction set's unit instantiates them with
// its own tag and compiler flags, and the loops over 16 lanes become its vectors.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/ops.h"
#include "tensor/x86/vector8.h"

namespace plinth::tensor {

inline constexpr int kLanes = 16;

template <typename Tag>
struct OpsBody {
  using V = Vector8Ops<Tag>;

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

  static float sum(const float* x, int n) {
    float lanes[kLanes] = {};
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) lanes[l] += x[i + l];
    }
    for (int l = 0; i + l < n; ++l) lanes[l] += x[i + l];
    return tree(lanes);
  }

  // The mean is taken off before squaring: E[x^2] - E[x]^2 loses every digit of a small variance.
  static void layer_norm(const float* x, const float* w, const float* b, float epsilon, int d,
                         float* y) {
    const float mean = sum(x, d) / static_cast<float>(d);
    for (int i = 0; i < d; ++i) y[i] = x[i] - mean;
    const float scale = 1.0f / std::sqrt(dot(y, y, d) / static_cast<float>(d) + epsilon);
    if (b == nullptr) {
      for (int i = 0; i < d; ++i) y[i] = y[i] * scale * w[i];
      return;
    }
    for (int i = 0; i < d; ++i) y[i] = y[i] * scale * w[i] + b[i];
  }

  // x[i] = f(x[i], y[i]) in vectors of eight; y may be x.
  template <typename F>
  static void map(float* x, const float* y, std::int64_t n, F f) {
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) V::store(x + i, f(V::load(x + i), V::load(y + i)));
    if (i == n) return;
    float last_x[8] = {}, last_y[8] = {};
    for (std::int64_t j = i; j < n; ++j) {
      last_x[j - i] = x[j];
      last_y[j - i] = y[j];
    }
    V::store(last_x, f(V::load(last_x), V::load(last_y)));
    for (std::int64_t j = i; j < n; ++j) x[j] = last_x[j - i];
  }

  // x Phi(x), with erfc(z) for z >= 0 by Abramowitz and Stegun 7.1.26 (within 1.5e-7).
  static void gelu_erf(float* x, std::int64_t n) {
    map(x, x, n, [](Vector8 v, Vector8) {
      const Vector8 z = (v < 0.0f ? -v : v) * 0.707106781f;
      const Vector8 t = 1.0f / (1.0f + 0.3275911f * z);
      Vector8 p = V::splat(1.061405429f);
      p = p * t - 1.453152027f;
      p = p * t + 1.421413741f;
      p = p * t - 0.284496736f;
      p = p * t + 0.254829592f;
      const Vector8 tail = 0.5f * p * t * V::exp(-z * z);  // Phi(-|x|)
      return v * (v < 0.0f ? tail : 1.0f - tail);
    });
  }

  static void silu_mul(float* gate, const float* up, std::int64_t n) {
    map(gate, up, n, [](Vector8 v, Vector8 u) { return v / (1.0f + V::exp(-v)) * u; });
  }

  // x * (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x * sigmoid(2 u).
  static Vector8 gelu_gate(Vector8 x) {
    const Vector8 u = 0.797884561f * (x + 0.044715f * x * x * x);
    return x / (1.0f + V::exp(-2.0f * u));
  }

  static void gelu_tanh(float* x, std::int64_t n) {
    map(x, x, n, [](Vector8 v, Vector8) { return gelu_gate(v); });
  }

  static void gelu_tanh_mul(float* gate, const float* up, std::int64_t n) {
    map(gate, up, n, [](Vector8 v, Vector8 u) { return gelu_gate(v) * u; });
  }

  // Within 2 ulp: an odd polynomial near 0, where 1 - 2 / (1 + exp(2 x)) would cancel.
  static Vector8 tanh_approx(Vector8 x) {
    const Vector8 z = x * x;
    Vector8 p = V::splat(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const Vector8 near = p * z * x + x;
    const Vector8 far = 1.0f - 2.0f / (1.0f + V::exp(2.0f * x));
    return z < 0.390625f ? near : far;
  }

  static void softcap(float* x, float cap, std::int64_t n) {
    const float inverse = 1.0f / cap;
    map(x, x, n, [=](Vector8 v, Vector8) { return cap * tanh_approx(v * inverse); });
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

  static constexpr Ops kTable = {
      .rms_norm = rms_norm,
      .layer_norm = layer_norm,
      .silu_mul = silu_mul,
      .gelu_tanh_mul = gelu_tanh_mul,
      .softcap = softcap,
      .scale = scale,
      .gelu_erf = gelu_erf,
      .gelu_tanh = gelu_tanh,
      .add = add,
      .rope = rope,
  };
};

extern const Ops kScalarOps;
extern const Ops kAvx2Ops;
extern const Ops kAvx512Ops;

}  // namespace plinth::tensor
