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

TEST(Ops, LayerNormIsTheDefinitionFarFromZeroToo) {
  for (const int d : {5, 100, 384}) {
    const auto n = static_cast<std::size_t>(d);
    auto x = normal(n, 7);
    const auto w = normal(n, 8), b = normal(n, 9);
    for (float& value : x) value = value * 0.5f + 300.0f;
    double mean = 0, variance = 0;
    for (float value : x) mean += static_cast<double>(value) / d;
    for (float value : x) variance += (value - mean) * (value - mean) / d;
    for (Isa isa : supported_isas()) {
      std::vector<float> y(n), plain(n), in_place = x;
      ops_for(isa).layer_norm(x.data(), w.data(), b.data(), 1e-5f, d, y.data());
      ops_for(isa).layer_norm(x.data(), w.data(), nullptr, 1e-5f, d, plain.data());
      ops_for(isa).layer_norm(in_place.data(), w.data(), b.data(), 1e-5f, d, in_place.data());
      EXPECT_EQ(in_place, y) << isa_name(isa);
      for (std::size_t i = 0; i < n; ++i) {
        const double expected = (x[i] - mean) / std::sqrt(variance + 1e-5) * w[i];
        ASSERT_NEAR(plain[i], expected, 3e-4) << isa_name(isa) << " d " << d;
        ASSERT_NEAR(y[i], expected + b[i], 3e-4) << isa_name(isa) << " d " << d;
      }
    }
  }
}

TEST(Ops, GeluIsTheDefinitionOverItsWholeRange) {
  std::vector<float> x;
  for (float v = -40; v < 40; v += 0.0137f) x.push_back(v);
  for (Isa isa : supported_isas()) {
    auto erf = x, tanh = x;
    ops_for(isa).gelu_erf(erf.data(), static_cast<std::int64_t>(x.size()));
    ops_for(isa).gelu_tanh(tanh.data(), static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double v = x[i];
      const double by_erf = v * 0.5 * std::erfc(-v / std::sqrt(2.0));
      const double u = std::sqrt(2.0 / M_PI) * (v + 0.044715 * v * v * v);
      const double by_tanh = v * 0.5 * (1 + std::tanh(u));
      ASSERT_NEAR(erf[i], by_erf, 4e-7 + 3e-7 * std::fabs(by_erf)) << isa_name(isa) << " " << v;
      ASSERT_NEAR(tanh[i], by_tanh, 4e-7 + 3e-6 * std::fabs(by_tanh)) << isa_name(isa) << " " << v;
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

}  // namespace
}  // namespace plinth::tensor
