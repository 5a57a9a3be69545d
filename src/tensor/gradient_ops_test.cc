// Every operation for every instruction set against its definition in fp64, for rows of any length.
#include "tensor/gradient_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace plinth::tensor {
namespace {

using Row = std::vector<float>;

constexpr std::int64_t kLengths[] = {1, 7, 8, 9, 31, 100};

Row normal(std::int64_t n, unsigned seed, float spread = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, spread);
  Row values(static_cast<std::size_t>(n));
  for (float& value : values) value = distribution(random);
  return values;
}

double wide(float x) { return static_cast<double>(x); }

// What a test of one row does for each instruction set and length. A number behind the row must
// stay what it was.
template <typename Body>
void for_all(const Body& body) {
  for (const Isa isa : supported_isas()) {
    for (const auto n : kLengths) {
      SCOPED_TRACE(testing::Message() << isa_name(isa) << ", " << n);
      body(gradient_ops_for(isa), n);
    }
  }
}

double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu(double x) {
  return x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
}

void check_activation(double (*f)(double), decltype(GradientOps::silu) GradientOps::*forward,
                      decltype(GradientOps::silu_back) GradientOps::*back) {
  for_all([&](const GradientOps& ops, std::int64_t n) {
    const auto x = normal(n, 1, 3), up = normal(n, 2), dy = normal(n, 3);
    Row plain(x.size() + 1, 7), gated(x.size() + 1, 7);
    (ops.*forward)(x.data(), nullptr, n, plain.data());
    (ops.*forward)(x.data(), up.data(), n, gated.data());
    Row dx(x.size() + 1, 0.5f), dup(x.size() + 1, 0.25f), dplain(x.size() + 1, 0.5f);
    (ops.*back)(x.data(), up.data(), dy.data(), n, dx.data(), dup.data());
    (ops.*back)(x.data(), nullptr, dy.data(), n, dplain.data(), nullptr);
    (ops.*back)(x.data(), up.data(), dy.data(), n, nullptr, nullptr);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double value = f(wide(x[i]));
      const double slope = (f(wide(x[i]) + 1e-5) - f(wide(x[i]) - 1e-5)) / 2e-5;
      ASSERT_NEAR(plain[i], value, 1e-5);
      ASSERT_NEAR(gated[i], value * wide(up[i]), 1e-5);
      ASSERT_NEAR(dx[i], 0.5 + wide(dy[i] * up[i]) * slope, 2e-5);
      ASSERT_NEAR(dplain[i], 0.5 + wide(dy[i]) * slope, 2e-5);
      ASSERT_NEAR(dup[i], 0.25 + wide(dy[i]) * value, 2e-5);
    }
    for (const Row* row : {&plain, &gated}) ASSERT_EQ(row->back(), 7);
    ASSERT_EQ(dx.back(), 0.5f);
    ASSERT_EQ(dup.back(), 0.25f);
  });
}

TEST(GradientOps, Silu) { check_activation(silu, &GradientOps::silu, &GradientOps::silu_back); }
TEST(GradientOps, GeluTanh) {
  check_activation(gelu, &GradientOps::gelu_tanh, &GradientOps::gelu_tanh_back);
}

// The logarithm of the sum of exponentials of a row that is shaped as `softmax` says.
double log_sum_of(const Row& row, float scale, float cap, std::vector<double>& shaped) {
  double sum = 0;
  shaped.clear();
  for (const float x : row) {
    const double s = wide(x) * wide(scale);
    shaped.push_back(cap > 0 ? wide(cap) * std::tanh(s / wide(cap)) : s);
    sum += std::exp(shaped.back());
  }
  return std::log(sum);
}

TEST(GradientOps, SoftmaxAndItsWayBack) {
  for (const float cap : {0.0f, 2.5f}) {
    for_all([&](const GradientOps& ops, std::int64_t n) {
      const float scale = 0.7f;
      const auto products = normal(n, 4, 4), slopes = normal(n, 5);
      std::vector<double> shaped;
      const double log_sum = log_sum_of(products, scale, cap, shaped);
      Row row = products;
      row.push_back(9);
      ASSERT_NEAR(ops.softmax(row.data(), n, scale, cap), log_sum, 1e-5);
      double mean = 0;
      for (std::size_t i = 0; i < shaped.size(); ++i) {
        ASSERT_NEAR(row[i], std::exp(shaped[i] - log_sum), 1e-6);
        mean += std::exp(shaped[i] - log_sum) * wide(slopes[i]);
      }
      ASSERT_EQ(row.back(), 9);
      Row again = products, back = slopes;
      ops.softmax_back(again.data(), back.data(), n, scale, cap, static_cast<float>(log_sum),
                       static_cast<float>(mean));
      for (std::size_t i = 0; i < shaped.size(); ++i) {
        const double p = std::exp(shaped[i] - log_sum);
        const double bend = cap > 0 ? 1 - std::pow(shaped[i] / wide(cap), 2) : 1;
        ASSERT_NEAR(again[i], p, 1e-6);
        ASSERT_NEAR(back[i], p * (wide(slopes[i]) - mean) * wide(scale) * bend, 2e-6);
      }
    });
  }
}

TEST(GradientOps, LogSumExpOfALargeVocabulary) {
  for (const Isa isa : supported_isas()) {
    for (const std::int64_t n : {1L, 5L, 1024L, 50257L}) {
      auto row = normal(n, 6, 2);
      row[static_cast<std::size_t>(n / 2)] = 11;
      row.back() = 11;  // the first of equals is told
      double sum = 0;
      for (const float x : row) sum += std::exp(wide(x) - 11);
      std::int64_t largest = -1;
      const double got = gradient_ops_for(isa).log_sum_exp(row.data(), n, largest);
      EXPECT_NEAR(got, 11 + std::log(sum), 1e-6 * sum) << isa_name(isa) << ", " << n;
      EXPECT_EQ(largest, n / 2);
      Row p = row;
      gradient_ops_for(isa).probabilities(p.data(), n, static_cast<float>(got), 0.5f);
      for (std::size_t i = 0; i < p.size(); i += 17)
        ASSERT_NEAR(p[i], 0.5 * std::exp(wide(row[i]) - got), 1e-6);
    }
  }
}

// Far from zero, where the square of a mean would leave no digit of the variance.
TEST(GradientOps, NormsAndTheirWayBack) {
  for (const bool centred : {false, true}) {
    for_all([&](const GradientOps& ops, std::int64_t n) {
      auto x = normal(n, 7);
      if (centred) {
        for (float& value : x) value += 30;
      }
      const auto w = normal(n, 8), b = normal(n, 9), dy = normal(n, 10);
      const auto length = static_cast<double>(n);
      double mean = 0, squares = 0;
      for (const float value : x) mean += centred ? wide(value) / length : 0;
      for (const float value : x) squares += (wide(value) - mean) * (wide(value) - mean) / length;
      const double scale = 1 / std::sqrt(squares + 1e-3);
      Row y(x.size() + 1, 7), plain(x.size());
      const auto unit = ops.norm(x.data(), w.data(), b.data(), 1e-3f, centred, n, y.data());
      ops.norm(x.data(), w.data(), nullptr, 1e-3f, centred, n, plain.data());
      ASSERT_NEAR(unit.mean, mean, 1e-5);
      ASSERT_NEAR(unit.scale, scale, 1e-4 * scale);
      double sum = 0, product = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double u = (wide(x[i]) - mean) * scale, g = wide(dy[i]) * wide(w[i]);
        ASSERT_NEAR(plain[i], u * wide(w[i]), 2e-4);
        ASSERT_NEAR(y[i], u * wide(w[i]) + wide(b[i]), 2e-4);
        sum += centred ? g / length : 0;
        product += g * u / length;
      }
      ASSERT_EQ(y.back(), 7);
      Row dx(x.size() + 1, 0.5f);
      ops.norm_back(x.data(), w.data(), dy.data(), unit, centred, n, dx.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double u = (wide(x[i]) - mean) * scale, g = wide(dy[i]) * wide(w[i]);
        const double expected = 0.5 + scale * (g - sum - u * product);
        ASSERT_NEAR(dx[i], expected, 3e-4 * (1 + std::abs(expected) + scale));
      }
      ASSERT_EQ(dx.back(), 0.5f);
    });
  }
}

TEST(GradientOps, SumsOfProducts) {
  for_all([&](const GradientOps& ops, std::int64_t n) {
    const auto a = normal(n, 11), b = normal(n, 12);
    double expected = 0;
    for (std::size_t i = 0; i < a.size(); ++i) expected += wide(a[i]) * wide(b[i]);
    ASSERT_NEAR(ops.dot(a.data(), b.data(), n), expected, 1e-5);
    Row y = b;
    ops.add_scaled(0.5f, a.data(), n, y.data());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(y[i], b[i] + 0.5f * a[i], 1e-6);
  });
}

// What is no number stays none, so that a run can stop.
TEST(GradientOps, NoNumberIsKept) {
  for_all([&](const GradientOps& ops, std::int64_t n) {
    auto row = normal(n, 13);
    row.back() = NAN;
    std::int64_t largest = 0;
    ASSERT_TRUE(std::isnan(ops.log_sum_exp(row.data(), n, largest)));
    ASSERT_TRUE(std::isnan(ops.softmax(row.data(), n, 1, 0)));
  });
}

}  // namespace
}  // namespace plinth::tensor
