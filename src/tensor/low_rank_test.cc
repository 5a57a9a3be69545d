#include "tensor/low_rank.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace plinth::tensor {
namespace {

std::vector<float> normal(std::size_t n, std::mt19937& random) {
  std::normal_distribution<float> distribution;
  std::vector<float> values(n);
  for (float& value : values) value = distribution(random);
  return values;
}

struct Matrices {
  std::int64_t inputs;
  std::vector<LowRankPart> parts;
  std::vector<std::vector<float>> kept;

  Matrices(std::int64_t in, std::vector<std::pair<int, int>> ranks_and_outputs, unsigned seed)
      : inputs(in) {
    std::mt19937 random(seed);
    std::int64_t column = 0;
    kept.reserve(2 * ranks_and_outputs.size());
    for (const auto& [rank, outputs] : ranks_and_outputs) {
      const auto& a = kept.emplace_back(normal(static_cast<std::size_t>(rank * in), random));
      const auto& b = kept.emplace_back(normal(static_cast<std::size_t>(rank * outputs), random));
      parts.push_back({rank, outputs, a.data(), b.data(), column});
      column += outputs;
    }
  }
  std::vector<double> of(const float* x, std::int64_t columns) const {
    std::vector<double> y(static_cast<std::size_t>(columns));
    for (const auto& part : parts) {
      for (int r = 0; r < part.rank; ++r) {
        double u = 0;
        for (std::int64_t k = 0; k < inputs; ++k) {
          u += static_cast<double>(x[k]) * static_cast<double>(part.a[r * inputs + k]);
        }
        for (std::int64_t j = 0; j < part.outputs; ++j) {
          y[static_cast<std::size_t>(part.column + j)] +=
              u * static_cast<double>(part.b[j * part.rank + r]);
        }
      }
    }
    return y;
  }
};

constexpr std::int64_t kColumns = 100 + 33 + 7;
const std::vector<std::pair<int, int>> kShape = {{8, 100}, {5, 33}, {16, 7}};

TEST(LowRank, IsTheDefinitionOfEveryRowAndLeavesTheOthers) {
  const Matrices one(50, kShape, 1), two(50, {{3, 100}}, 2);
  const auto packed_one = PackedLowRank::pack(50, one.parts);
  const auto packed_two = PackedLowRank::pack(50, two.parts);
  std::mt19937 random(3);
  const auto x = normal(9 * 50, random), before = normal(9 * kColumns, random);
  const std::vector<int> first{0, 2, 3, 5, 7, 8}, second{4};
  const LowRankRows groups[] = {{&packed_one, first}, {&packed_two, second}};
  base::ThreadPool pool(3);
  for (const Isa isa : supported_isas()) {
    auto y = before;
    LowRankProduct(isa).add(groups, x.data(), 50, y.data(), kColumns, pool);
    for (int row = 0; row < 9; ++row) {
      const bool untouched = row == 1 || row == 6;
      const auto more = (row == 4 ? two : one).of(x.data() + row * 50, kColumns);
      for (std::int64_t j = 0; j < kColumns; ++j) {
        const auto at = static_cast<std::size_t>(row * kColumns + j);
        const auto add = untouched ? 0.0 : more[static_cast<std::size_t>(j)];
        EXPECT_NEAR(y[at], static_cast<double>(before[at]) + add, 1e-3) << isa_name(isa) << row;
        if (add == 0) {
          EXPECT_EQ(y[at], before[at]);
        }
      }
    }
  }
}

TEST(LowRank, ARowsBitsDependOnNeitherItsNeighboursNorTheThreads) {
  const Matrices matrices(77, kShape, 4);
  const auto packed = PackedLowRank::pack(77, matrices.parts);
  std::mt19937 random(5);
  const int rows = 70;
  const auto x = normal(rows * 77, random), before = normal(rows * kColumns, random);
  for (const Isa isa : supported_isas()) {
    std::vector<float> alone = before;
    base::ThreadPool one(1);
    for (int row = 0; row < rows; ++row) {
      const LowRankRows group{&packed, {&row, 1}};
      LowRankProduct(isa).add({&group, 1}, x.data(), 77, alone.data(), kColumns, one);
    }
    for (int round = 0; round < 10; ++round) {
      std::vector<int> order(rows);
      for (int i = 0; i < rows; ++i) order[static_cast<std::size_t>(i)] = i;
      std::shuffle(order.begin(), order.end(), random);
      base::ThreadPool pool(1 + round % 4);
      auto y = before;
      const auto cut = random() % rows;
      const LowRankRows groups[] = {{&packed, std::span(order).first(cut)},
                                    {&packed, std::span(order).subspan(cut)}};
      LowRankProduct(isa).add(groups, x.data(), 77, y.data(), kColumns, pool);
      ASSERT_EQ(y, alone) << isa_name(isa) << ", round " << round;
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
