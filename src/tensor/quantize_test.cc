#include "tensor/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "base/random.h"

namespace plinth::tensor {
namespace {

std::vector<float> round_trip(const std::vector<float>& x, std::int64_t columns) {
  const MatrixView view{reinterpret_cast<const std::uint8_t*>(x.data()), DType::f32,
                        static_cast<std::int64_t>(x.size()) / columns, columns};
  const auto q = quantize_matrix(DType::q8_0, view);
  EXPECT_EQ(q.size(), static_cast<std::size_t>(view.rows) * row_bytes(DType::q8_0, columns));
  std::vector<float> y(x.size());
  for (std::int64_t r = 0; r < view.rows; ++r) {
    dequantize_row(DType::q8_0,
                   q.data() + static_cast<std::size_t>(r) * row_bytes(DType::q8_0, columns),
                   y.data() + r * columns, columns);
  }
  return y;
}

TEST(Quantize, EachElementIsWithinHalfAStepOfItsBlock) {
  std::vector<float> x(3 * 64);
  for (int i = 0; i < 3 * 64; ++i) {
    // Blocks of very different sizes beside each other.
    const int exponent = i / 32 - 3;
    x[static_cast<std::size_t>(i)] =
        std::sin(static_cast<float>(i)) * std::pow(10.0f, static_cast<float>(exponent));
  }
  const auto y = round_trip(x, 64);
  for (std::size_t b = 0; b < x.size(); b += 32) {
    float largest = 0;
    for (std::size_t i = b; i < b + 32; ++i) largest = std::max(largest, std::fabs(x[i]));
    // Half a step, and fp16's rounding of the scale at the largest integers.
    const float bound = largest / 127 * 0.5f + largest * 0.0006f;
    for (std::size_t i = b; i < b + 32; ++i) ASSERT_NEAR(y[i], x[i], bound) << i;
  }
}

TEST(Quantize, ZerosAndTinyBlocksAreZero) {
  std::vector<float> x(64, 0.0f);
  x[40] = 1e-30f;
  for (const float value : round_trip(x, 32)) EXPECT_EQ(value, 0.0f);
}

// What round trips of normal numbers may lose, as noise over signal: near the best that any scales
// could give for that many bits, so that a wrong bit, scale or order shows.
TEST(Quantize, EveryTypeLosesNoMoreThanItsBitsDemand) {
  const std::pair<DType, double> bounds[] = {
      {DType::f32, 0},      {DType::f16, 3e-4},     {DType::bf16, 2.5e-3},  {DType::q8_0, 6e-3},
      {DType::q4_0, 0.085}, {DType::q4_1, 0.075},   {DType::q5_0, 0.043},   {DType::q5_1, 0.037},
      {DType::q2_k, 0.30},  {DType::q3_k, 0.16},    {DType::q4_k, 0.080},   {DType::q5_k, 0.039},
      {DType::q6_k, 0.018}, {DType::iq4_nl, 0.080}, {DType::iq4_xs, 0.080},
  };
  constexpr std::int64_t kColumns = 4096;
  std::vector<float> x;
  for (std::int64_t i = 0; i < kColumns; ++i) {
    double sum = 0;
    for (std::uint64_t draw = 0; draw < 12; ++draw) {
      sum += base::uniform_at(7, static_cast<std::uint64_t>(i), draw);
    }
    x.push_back(static_cast<float>((sum - 6) * (i < 1024 ? 1 : 0.01)));
  }
  for (const auto& [dtype, bound] : bounds) {
    std::vector<std::uint8_t> row(row_bytes(dtype, kColumns), 0xff);
    quantize_row(dtype, x.data(), row.data(), kColumns);
    std::vector<float> y(x.size());
    dequantize_row(dtype, row.data(), y.data(), kColumns);
    double noise = 0, signal = 0;
    for (std::size_t i = 1024; i < x.size(); ++i) {
      noise += (y[i] - x[i]) * (y[i] - x[i]);
      signal += x[i] * x[i];
    }
    EXPECT_LE(std::sqrt(noise / signal), bound) << dtype_info(dtype).name;
  }
}

TEST(Quantize, ConstantsAndZerosOfEveryType) {
  for (int type = 0; type <= static_cast<int>(DType::iq4_xs); ++type) {
    const auto dtype = static_cast<DType>(type);
    for (const float value : {0.0f, 1.0f, -3.0f}) {
      const std::vector<float> x(256, value);
      std::vector<std::uint8_t> row(row_bytes(dtype, 256), 0xff);
      quantize_row(dtype, x.data(), row.data(), 256);
      std::vector<float> y(256);
      dequantize_row(dtype, row.data(), y.data(), 256);
      for (const float read : y) {
        ASSERT_NEAR(read, value, std::fabs(value) * 0.02) << dtype_info(dtype).name;
      }
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
