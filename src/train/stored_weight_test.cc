#include "train/stored_weight.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tensor/quantize.h"
#include "train/dense_weight.h"

namespace plinth::train {
namespace {

constexpr std::int64_t kRows = 41, kColumns = 64, kTokens = 19;

std::vector<float> normal(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = distribution(random);
  return values;
}

// Rows in pieces of three, of which the last is smaller: the products of all rows at once.
TEST(StoredWeight, MultipliesAsThePlainNumbersDo) {
  const auto values = normal(kRows * kColumns, 1);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(kRows) *
                                  tensor::row_bytes(tensor::DType::q8_0, kColumns));
  std::vector<float> plain(values.size());
  for (std::int64_t r = 0; r < kRows; ++r) {
    auto* row = bytes.data() +
                static_cast<std::size_t>(r) * tensor::row_bytes(tensor::DType::q8_0, kColumns);
    tensor::quantize_row(tensor::DType::q8_0, values.data() + r * kColumns, row, kColumns);
    tensor::dequantize_row(tensor::DType::q8_0, row, plain.data() + r * kColumns, kColumns);
  }
  const StoredWeight stored({bytes.data(), tensor::DType::q8_0, kRows, kColumns}, 3 * kColumns);
  const DenseWeight<float> dense(plain.data(), nullptr, kRows, kColumns);
  base::ThreadPool threads(2);
  Compute compute(threads);
  const auto x = normal(kTokens * kColumns, 2), dy = normal(kTokens * kRows, 3);
  for (const bool accumulate : {false, true}) {
    std::vector<float> y(static_cast<std::size_t>(kTokens * kRows), 0.5f), expected_y = y;
    stored.multiply(x.data(), kTokens, y.data(), accumulate, compute);
    dense.multiply(x.data(), kTokens, expected_y.data(), accumulate, compute);
    EXPECT_EQ(y, expected_y);
    std::vector<float> dx(x.size(), 0.5f), expected_dx = dx;
    stored.multiply_back(dy.data(), kTokens, dx.data(), accumulate, compute);
    dense.multiply_back(dy.data(), kTokens, expected_dx.data(), accumulate, compute);
    for (std::size_t i = 0; i < dx.size(); ++i) ASSERT_NEAR(dx[i], expected_dx[i], 1e-4);
  }
  const std::vector<std::int32_t> ids = {40, 0, 7};
  std::vector<float> rows(ids.size() * kColumns), expected_rows = rows;
  stored.gather(ids, rows.data(), compute);
  dense.gather(ids, expected_rows.data(), compute);
  EXPECT_EQ(rows, expected_rows);
}

}  // namespace
}  // namespace plinth::train
