#include "engine/sample/softmax.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

namespace plinth::engine {

namespace {

// As many independent accumulators as keep the adders of two 256-bit units busy.
constexpr std::size_t kLanes = 16;

// 2^n * e^r with x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial for e^r (Cephes, expf).
inline float exp_of(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  const float clamped = x < -80.0f ? -80.0f : x;
  const float n = (clamped * 1.44269504f + kRound) - kRound;
  const float r = (clamped - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float e = p * r * r + r + 1.0f;
  const auto power = std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
  return x < -80.0f ? 0.0f : e * power;
}

}  // namespace

bool all_finite(std::span<const float> row) {
  std::array<float, kLanes> zero{};
  std::size_t i = 0;
  // x - x is 0, or NaN where x is not finite.
  for (; i + kLanes <= row.size(); i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) zero[j] += row[i + j] - row[i + j];
  }
  for (; i < row.size(); ++i) zero[0] += row[i] - row[i];
  return std::all_of(zero.begin(), zero.end(), [](float z) { return z == 0.0f; });
}

float largest(std::span<const float> row) {
  std::array<float, kLanes> top;
  top.fill(-std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i + kLanes <= row.size(); i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) top[j] = row[i + j] > top[j] ? row[i + j] : top[j];
  }
  for (; i < row.size(); ++i) top[0] = row[i] > top[0] ? row[i] : top[0];
  return *std::max_element(top.begin(), top.end());
}

std::int32_t argmax(std::span<const float> row) {
  return static_cast<std::int32_t>(std::find(row.begin(), row.end(), largest(row)) - row.begin());
}

double exponentials(std::span<const float> row, float top, float scale, std::span<float> out) {
  // Short runs in fp32, their sums in fp64: the error stays near one fp32 rounding.
  constexpr std::size_t kRun = 512;
  double sum = 0;
  std::array<float, kRun> buffer;
  for (std::size_t at = 0; at < row.size(); at += kRun) {
    const std::size_t count = std::min(kRun, row.size() - at);
    const float* in = row.data() + at;
    float* to = out.empty() ? buffer.data() : out.data() + at;
    for (std::size_t i = 0; i < count; ++i) to[i] = exp_of((in[i] - top) * scale);
    std::array<float, kLanes> lanes{};
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      for (std::size_t j = 0; j < kLanes; ++j) lanes[j] += to[i + j];
    }
    for (; i < count; ++i) lanes[0] += to[i];
    for (const float lane : lanes) sum += static_cast<double>(lane);
  }
  return sum;
}

}  // namespace plinth::engine
