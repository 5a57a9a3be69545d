// The operations of gradient_ops.h once, as templates of a tag, as ops_body.h has its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/gradient_ops.h"
#include "tensor/x86/ops_body.h"

namespace plinth::tensor {

template <typename Tag>
struct GradientOpsBody {
  using V = Vector8Ops<Tag>;
  using O = OpsBody<Tag>;

  // Up to eight numbers; the others are `rest`.
  static Vector8 load_some(const float* p, std::int64_t count, float rest) {
    float lanes[8];
    for (int i = 0; i < 8; ++i) lanes[i] = i < count ? p[i] : rest;
    return V::load(lanes);
  }
  static void store_some(float* p, Vector8 v, std::int64_t count) {
    float lanes[8];
    V::store(lanes, v);
    std::memcpy(p, lanes, static_cast<std::size_t>(count) * sizeof(float));
  }
  // body(i, count) for each eight of [0, n), the last with what is left.
  template <typename Body>
  static void for_eights(std::int64_t n, const Body& body) {
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) body(i, std::int64_t{8});
    if (i < n) body(i, n - i);
  }
  static Vector8 get(const float* p, std::int64_t count, float rest = 0) {
    return count == 8 ? V::load(p) : load_some(p, count, rest);
  }
  static void put(float* p, Vector8 v, std::int64_t count) {
    count == 8 ? V::store(p, v) : store_some(p, v, count);
  }

  struct Point {
    Vector8 value, slope;
  };
  static Point silu_at(Vector8 x) {
    const Vector8 s = 1.0f / (1.0f + V::exp(-x));
    return {x * s, s * (1.0f + x * (1.0f - s))};
  }
  // x * sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is the form with tanh(u).
  static Point gelu_tanh_at(Vector8 x) {
    const Vector8 square = x * x;
    const Vector8 u = 0.797884561f * (x + 0.044715f * square * x);
    const Vector8 s = 1.0f / (1.0f + V::exp(-2.0f * u));
    const Vector8 du = 0.797884561f * (1.0f + 0.134145f * square);
    return {x * s, s + 2.0f * x * s * (1.0f - s) * du};
  }

  template <Point (*kAt)(Vector8)>
  static void activate(const float* x, const float* up, std::int64_t n, float* y) {
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      Vector8 value = kAt(get(x + i, count)).value;
      if (up != nullptr) value *= get(up + i, count);
      put(y + i, value, count);
    });
  }
  template <Point (*kAt)(Vector8)>
  static void activate_back(const float* x, const float* up, const float* dy, std::int64_t n,
                            float* dx, float* dup) {
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      const Point at = kAt(get(x + i, count));
      const Vector8 slope = get(dy + i, count);
      if (dup != nullptr) put(dup + i, get(dup + i, count) + slope * at.value, count);
      if (dx == nullptr) return;
      const Vector8 outer = up == nullptr ? slope : slope * get(up + i, count);
      put(dx + i, get(dx + i, count) + outer * at.slope, count);
    });
  }

  static Vector8 shaped(Vector8 x, float scale, float cap) {
    return cap > 0 ? cap * O::tanh_approx(x * (scale / cap)) : x * scale;
  }
  static float softmax(float* row, std::int64_t n, float scale, float cap) {
    Vector8 most = V::splat(-INFINITY);
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      const Vector8 x = shaped(get(row + i, count), scale, cap);
      put(row + i, x, count);
      const Vector8 seen = count == 8 ? x : load_some(row + i, count, -INFINITY);
      most = seen > most ? seen : most;
    });
    const float highest = V::largest(most);
    Vector8 sums = {};
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      const Vector8 e = V::exp(get(row + i, count, -INFINITY) - highest);
      put(row + i, e, count);
      sums += e;
    });
    const float sum = V::sum(sums), part = 1.0f / sum;
    for (std::int64_t i = 0; i < n; ++i) row[i] *= part;
    return highest + std::log(sum);
  }
  static void softmax_back(float* row, float* slope, std::int64_t n, float scale, float cap,
                           float log_sum, float mean) {
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      const Vector8 x = shaped(get(row + i, count), scale, cap);
      const Vector8 p = V::exp(x - log_sum);
      Vector8 inner = p * (get(slope + i, count) - mean) * scale;
      if (cap > 0) {
        const Vector8 t = x / cap;
        inner *= 1.0f - t * t;
      }
      put(row + i, p, count);
      put(slope + i, inner, count);
    });
  }

  // So many small parts are added in fp32, and their sums in fp64.
  static constexpr std::int64_t kSummed = 1024;
  static double log_sum_exp(const float* row, std::int64_t n, std::int64_t& largest) {
    Vector8 most = V::splat(-INFINITY);
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      const Vector8 x = get(row + i, count, -INFINITY);
      most = x > most ? x : most;
    });
    const float highest = V::largest(most);
    largest = std::find(row, row + n, highest) - row;
    double sum = 0;
    for (std::int64_t begin = 0; begin < n; begin += kSummed) {
      Vector8 sums = {};
      for_eights(std::min(kSummed, n - begin), [&](std::int64_t i, std::int64_t count) {
        sums += V::exp(get(row + begin + i, count, -INFINITY) - highest);
      });
      sum += static_cast<double>(V::sum(sums));
    }
    return static_cast<double>(highest) + std::log(sum);
  }
  static void probabilities(float* row, std::int64_t n, float log_sum, float factor) {
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      put(row + i, factor * V::exp(get(row + i, count) - log_sum), count);
    });
  }

  static float dot(const float* a, const float* b, std::int64_t n) {
    Vector8 low = {}, high = {};
    std::int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
      low += V::load(a + i) * V::load(b + i);
      high += V::load(a + i + 8) * V::load(b + i + 8);
    }
    for_eights(n - i, [&](std::int64_t j, std::int64_t count) {
      low += get(a + i + j, count) * get(b + i + j, count);
    });
    return V::sum(low + high);
  }
  static float sum(const float* x, std::int64_t n) {
    Vector8 sums = {};
    for_eights(n, [&](std::int64_t i, std::int64_t count) { sums += get(x + i, count); });
    return V::sum(sums);
  }
  static void add_scaled(float factor, const float* x, std::int64_t n, float* y) {
    for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
  }

  static NormUnit norm(const float* x, const float* w, const float* b, float epsilon, bool centred,
                       std::int64_t n, float* y) {
    NormUnit unit;
    if (centred) unit.mean = sum(x, n) / static_cast<float>(n);
    // The mean is taken off before squaring, as ops_body.h says.
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] - unit.mean;
    unit.scale = 1.0f / std::sqrt(dot(y, y, n) / static_cast<float>(n) + epsilon);
    for (std::int64_t i = 0; i < n; ++i) y[i] = y[i] * unit.scale * w[i];
    if (b == nullptr) return unit;
    for (std::int64_t i = 0; i < n; ++i) y[i] += b[i];
    return unit;
  }
  // dx += scale * (g - mean(g) [where centred] - u * mean(g u)), where g = dy w and u is the row
  // as it was before w.
  static void norm_back(const float* x, const float* w, const float* dy, NormUnit unit,
                        bool centred, std::int64_t n, float* dx) {
    Vector8 sums = {}, products = {};
    for_eights(n, [&](std::int64_t i, std::int64_t count) {
      const Vector8 g = get(dy + i, count) * get(w + i, count);
      sums += g;
      products += g * (get(x + i, count) - unit.mean);
    });
    const float mean = centred ? V::sum(sums) / static_cast<float>(n) : 0.0f;
    const float product = V::sum(products) * unit.scale / static_cast<float>(n);
    for (std::int64_t i = 0; i < n; ++i) {
      const float u = (x[i] - unit.mean) * unit.scale;
      dx[i] += unit.scale * (dy[i] * w[i] - mean - u * product);
    }
  }

  static constexpr GradientOps kTable = {
      .silu = activate<silu_at>,
      .gelu_tanh = activate<gelu_tanh_at>,
      .silu_back = activate_back<silu_at>,
      .gelu_tanh_back = activate_back<gelu_tanh_at>,
      .softmax = softmax,
      .softmax_back = softmax_back,
      .log_sum_exp = log_sum_exp,
      .probabilities = probabilities,
      .norm = norm,
      .norm_back = norm_back,
      .dot = dot,
      .add_scaled = add_scaled,
  };
};

extern const GradientOps kScalarGradientOps;
extern const GradientOps kAvx2GradientOps;
extern const GradientOps kAvx512GradientOps;

}  // namespace plinth::tensor
