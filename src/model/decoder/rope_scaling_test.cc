#include "model/decoder/rope_scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace plinth::model {
namespace {

RopeSpec rope(std::int32_t dimensions = 16) {
  RopeSpec spec;
  spec.dimensions = dimensions;
  return spec;
}

RopeScaling scaling(const char* kind, double factor, std::int32_t original) {
  RopeScaling out;
  out.kind = kind;
  out.factor = factor;
  out.original_context = original;
  return out;
}

TEST(RopeScaling, DefaultIsThePaper) {
  auto spec = rope(4);
  ASSERT_TRUE(set_rope_frequencies(10000, {}, {}, 64, spec).ok());
  ASSERT_EQ(spec.frequencies.size(), 2u);
  EXPECT_DOUBLE_EQ(spec.frequencies[0], 1);
  EXPECT_DOUBLE_EQ(spec.frequencies[1], 0.01);
  EXPECT_EQ(spec.attention_factor, 1);
}

TEST(RopeScaling, LinearAndDivisorsStretchEveryPair) {
  auto spec = rope(4);
  ASSERT_TRUE(set_rope_frequencies(10000, scaling("linear", 4, 0), {2, 5}, 64, spec).ok());
  EXPECT_DOUBLE_EQ(spec.frequencies[0], 1.0 / 8);
  EXPECT_DOUBLE_EQ(spec.frequencies[1], 0.01 / 20);
}

TEST(RopeScaling, Llama3KeepsFastPairsAndStretchesSlowOnes) {
  auto plain = rope(), spec = rope();
  ASSERT_TRUE(set_rope_frequencies(500000, {}, {}, 64, plain).ok());
  ASSERT_TRUE(set_rope_frequencies(500000, scaling("llama3", 8, 8192), {}, 131072, spec).ok());
  EXPECT_DOUBLE_EQ(spec.frequencies[0], plain.frequencies[0]);
  EXPECT_DOUBLE_EQ(spec.frequencies[7], plain.frequencies[7] / 8);
}

TEST(RopeScaling, YarnHasItsAttentionFactor) {
  auto spec = rope();
  ASSERT_TRUE(set_rope_frequencies(10000, scaling("yarn", 4, 4096), {}, 16384, spec).ok());
  EXPECT_FLOAT_EQ(spec.attention_factor, 1 + 0.1f * std::log(4.0f));
  auto stated = scaling("yarn", 4, 4096);
  stated.attention_factor = 0.5;
  ASSERT_TRUE(set_rope_frequencies(10000, stated, {}, 16384, spec).ok());
  EXPECT_FLOAT_EQ(spec.attention_factor, 0.5f);
}

TEST(RopeScaling, LongRopeKeepsBothSets) {
  auto spec = rope(4);
  auto longrope = scaling("longrope", 1, 4096);
  longrope.short_factors = {1, 2};
  longrope.long_factors = {4, 8};
  ASSERT_TRUE(set_rope_frequencies(10000, longrope, {}, 131072, spec).ok());
  EXPECT_DOUBLE_EQ(spec.frequencies[1], 0.01 / 2);
  EXPECT_DOUBLE_EQ(spec.long_frequencies[1], 0.01 / 8);
  EXPECT_EQ(spec.original_context, 4096);
  EXPECT_NEAR(spec.attention_factor, std::sqrt(1 + std::log(32.0) / std::log(4096.0)), 1e-6);
}

TEST(RopeScaling, RefusesWhatDoesNotFit) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  auto zero_low = scaling("llama3", 8, 8192);
  zero_low.low_frequency = 0;
  auto crossed = scaling("llama3", 8, 8192);
  crossed.low_frequency = crossed.high_frequency;
  auto slow = scaling("yarn", 4, 4096);
  slow.beta_slow = 64;
  auto lengths = scaling("longrope", 1, 4096);
  lengths.short_factors = {1, 1};
  lengths.long_factors = {1};
  auto negative = lengths;
  negative.long_factors = {1, -1};
  auto attention = scaling("yarn", 4, 4096);
  attention.attention_factor = nan;
  const struct {
    double theta;
    RopeScaling scaling;
    const char* named;
  } cases[] = {
      {nan, {}, "rope base is nan"},
      {1, {}, "rope base is 1"},
      {infinity, {}, "rope base is inf"},
      {10000, scaling("dynamic", 2, 64), "rope scaling dynamic is not supported"},
      {10000, scaling("linear", 0.5, 64), "factor is 0.5"},
      {10000, scaling("linear", nan, 64), "factor is nan"},
      {10000, scaling("llama3", 8, 0), "original context is 0"},
      {10000, scaling("yarn", infinity, 64), "factor is inf"},
      {10000, zero_low, "low_freq_factor is 0"},
      {10000, crossed, "high_freq_factor is 4"},
      {10000, slow, "beta_fast is 32"},
      {10000, attention, "attention factor is nan"},
      {10000, lengths, "long_factor has 1 numbers for 2 pairs"},
      {10000, negative, "long_factor[1] is -1"},
  };
  for (const auto& c : cases) {
    auto spec = rope(4);
    const auto status = set_rope_frequencies(c.theta, c.scaling, {}, 64, spec);
    EXPECT_FALSE(status.ok()) << c.named;
    EXPECT_NE(base::message(status).find(c.named), std::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace plinth::model
