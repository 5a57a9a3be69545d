#include "tensor/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace plinth::tensor {
namespace {

std::vector<float> round_trip(const std::vector<float>& x, std::int64_t columns) {
  const MatrixView view{reinterpret_cast<const std::uint8_t*>(x.data()), DType::f32,
                        static_cast<std::int64_t>(x.size()) / columns, columns};
  const auto q = quantize_q8_0(view);
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
  std::vector<float> x;
  for (int i = 0; i < 3 * 64; ++i) {
    // Blocks of very different sizes beside each other.
    x.push_back(std::sin(static_cast<float>(i)) * std::pow(10.0f, static_cast<float>(i / 32 - 3)));
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

}  // namespace
}  // namespace plinth::tensor
