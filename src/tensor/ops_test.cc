#include "tensor/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace plinth::tensor {
namespace {

std::vector<float> normal(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> values(n);
  for (float& value : values) value = distribution(random);
  return values;
}

TEST(Ops, RmsNormIsTheDefinition) {
  const auto x = normal(100, 1), w = normal(100, 2);
  double squares = 0;
  for (float value : x) squares += static_cast<double>(value) * value;
  for (Isa isa : supported_isas()) {
    std::vector<float> y(100);
    ops_for(isa).rms_norm(x.data(), w.data(), 1e-5f, 100, y.data());
    for (std::size_t i = 0; i < 100; ++i) {
      EXPECT_NEAR(y[i], x[i] / std::sqrt(squares / 100 + 1e-5) * w[i], 1e-5) << isa_name(isa);
    }
  }
}

TEST(Ops, SiluIsTheDefinitionOverItsWholeRange) {
  std::vector<float> x;
  for (float v = -100; v < 100; v += 0.37f) x.push_back(v);
  const std::vector<float> up(x.size(), 2.0f);
  for (Isa isa : supported_isas()) {
    auto gate = x;
    ops_for(isa).silu_mul(gate.data(), up.data(), static_cast<std::int64_t>(gate.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = 2.0 * x[i] / (1.0 + std::exp(-static_cast<double>(x[i])));
      EXPECT_NEAR(gate[i], expected, 1e-6 + 1e-6 * std::fabs(expected)) << x[i];
    }
  }
}

TEST(Ops, RopeRotatesPairsOfEitherKind) {
  const auto x = normal(8, 3);
  const float c[] = {0.6f, 1.0f}, s[] = {0.8f, 0.0f};
  for (Isa isa : supported_isas()) {
    auto neighbours = x, halves = x;
    ops_for(isa).rope(neighbours.data(), c, s, 4, false);
    ops_for(isa).rope(halves.data(), c, s, 4, true);
    EXPECT_NEAR(neighbours[0], x[0] * 0.6f - x[1] * 0.8f, 1e-6);
    EXPECT_NEAR(neighbours[1], x[0] * 0.8f + x[1] * 0.6f, 1e-6);
    EXPECT_EQ(neighbours[2], x[2]);
    EXPECT_NEAR(halves[0], x[0] * 0.6f - x[2] * 0.8f, 1e-6);
    EXPECT_NEAR(halves[2], x[0] * 0.8f + x[2] * 0.6f, 1e-6);
    EXPECT_EQ(halves[5], x[5]);
  }
}

TEST(Ops, AttentionIsSoftmaxOverAllPositions) {
  constexpr int kWidth = 24, kGroup = 3;
  for (int positions : {1, 15, 16, 17, 40}) {
    const auto q = normal(kGroup * kWidth, 4);
    const auto k = normal(48 * kWidth, 5), v = normal(48 * kWidth, 6);
    const float* k_pages[] = {&k[0], &k[16 * kWidth], &k[32 * kWidth]};
    const float* v_pages[] = {&v[0], &v[16 * kWidth], &v[32 * kWidth]};
    for (Isa isa : supported_isas()) {
      std::vector<float> out(kGroup * kWidth), scores(kGroup * 48);
      ops_for(isa).attention(
          {q.data(), kGroup, k_pages, v_pages, positions, kWidth, 0.3f, scores.data(), out.data()});
      for (int h = 0; h < kGroup; ++h) {
        std::vector<double> weights;
        double sum = 0;
        for (int p = 0; p < positions; ++p) {
          double dot = 0;
          for (int i = 0; i < kWidth; ++i) {
            dot += static_cast<double>(q[static_cast<std::size_t>(h * kWidth + i)]) *
                   k[static_cast<std::size_t>(p * kWidth + i)];
          }
          weights.push_back(std::exp(dot * 0.3));
          sum += weights.back();
        }
        for (int i = 0; i < kWidth; ++i) {
          double expected = 0;
          for (int p = 0; p < positions; ++p) {
            expected += weights[static_cast<std::size_t>(p)] / sum *
                        v[static_cast<std::size_t>(p * kWidth + i)];
          }
          ASSERT_NEAR(out[static_cast<std::size_t>(h * kWidth + i)], expected, 1e-5)
              << isa_name(isa) << " positions " << positions;
        }
      }
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
