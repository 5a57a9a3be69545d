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

TEST(Ops, GatedGeluAndSoftcapAreTheirDefinitions) {
  std::vector<float> x;
  for (float v = -100; v < 100; v += 0.37f) x.push_back(v);
  for (float v = -1; v < 1; v += 0.01f) x.push_back(v);
  const auto n = static_cast<std::int64_t>(x.size());
  const std::vector<float> up(x.size(), 2.0f);
  for (Isa isa : supported_isas()) {
    auto gated = x, capped = x;
    ops_for(isa).gelu_tanh_mul(gated.data(), up.data(), n);
    ops_for(isa).softcap(capped.data(), 30.0f, n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double v = x[i];
      const double expected =
          0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      EXPECT_NEAR(gated[i], 2 * expected, 2e-6 + 2e-6 * std::fabs(expected)) << v;
      EXPECT_NEAR(capped[i], 30 * std::tanh(v / 30), 1e-6 * std::fabs(v)) << v;
    }
  }
}

// What one head attends to, in double precision.
std::vector<double> expected_attention(const AttentionArgs& args, int h) {
  std::vector<double> weights, out(static_cast<std::size_t>(args.head_width));
  double sum = 0;
  for (int p = args.first; p < args.positions; ++p) {
    double score = 0;
    for (int i = 0; i < args.head_width; ++i) {
      score += static_cast<double>(args.q[h * args.head_width + i]) *
               args.k_pages[p / kPageTokens][p % kPageTokens * args.head_width + i];
    }
    score *= static_cast<double>(args.scale);
    const double cap = args.softcap;
    if (cap > 0) score = cap * std::tanh(score / cap);
    weights.push_back(std::exp(score));
    sum += weights.back();
  }
  for (int p = args.first; p < args.positions; ++p) {
    const double weight = weights[static_cast<std::size_t>(p - args.first)] / sum;
    for (int i = 0; i < args.head_width; ++i) {
      out[static_cast<std::size_t>(i)] +=
          weight * args.v_pages[p / kPageTokens][p % kPageTokens * args.head_width + i];
    }
  }
  return out;
}

TEST(Ops, AttentionIsSoftmaxOverTheWindow) {
  constexpr int kWidth = 24, kGroup = 3;
  const auto q = normal(kGroup * kWidth, 4);
  const auto k = normal(48 * kWidth, 5), v = normal(48 * kWidth, 6);
  const struct {
    int first, positions;
    float softcap;
  } cases[] = {{0, 1, 0},   {0, 15, 0},  {0, 16, 0},    {0, 17, 0},  {0, 40, 0},
               {0, 40, 2},  {3, 40, 0},  {16, 40, 0},   {31, 40, 2}, {33, 40, 0},
               {39, 40, 0}, {47, 48, 0}, {17, 18, 0.5f}};
  for (const auto& c : cases) {
    // Pages before the window have no memory: reading one would be a null pointer.
    const float *k_pages[3] = {}, *v_pages[3] = {};
    for (int i = c.first / kPageTokens; i < 3; ++i) {
      k_pages[i] = &k[static_cast<std::size_t>(i * kPageTokens * kWidth)];
      v_pages[i] = &v[static_cast<std::size_t>(i * kPageTokens * kWidth)];
    }
    for (Isa isa : supported_isas()) {
      std::vector<float> out(kGroup * kWidth), scores(kGroup * 48);
      AttentionArgs args;
      args.q = q.data();
      args.group = kGroup;
      args.k_pages = k_pages;
      args.v_pages = v_pages;
      args.first = c.first;
      args.positions = c.positions;
      args.head_width = kWidth;
      args.scale = 0.3f;
      args.softcap = c.softcap;
      args.scores = scores.data();
      args.out = out.data();
      ops_for(isa).attention(args);
      for (int h = 0; h < kGroup; ++h) {
        const auto expected = expected_attention(args, h);
        for (int i = 0; i < kWidth; ++i) {
          ASSERT_NEAR(out[static_cast<std::size_t>(h * kWidth + i)],
                      expected[static_cast<std::size_t>(i)], 1e-5)
              << isa_name(isa) << " [" << c.first << ", " << c.positions << ")";
        }
      }
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
