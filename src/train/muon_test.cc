#include "train/muon.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "train/testing/in_process_ranks.h"

namespace plinth::train {
namespace {

using Matrix = std::vector<double>;  // row-major

Matrix random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Matrix matrix(static_cast<std::size_t>(rows * columns));
  for (auto& x : matrix) x = std::normal_distribution<double>()(random);
  return matrix;
}
// a b^T, [m, n].
Matrix times_transposed(const Matrix& a, const Matrix& b, std::size_t m, std::size_t n,
                        std::size_t k) {
  Matrix c(m * n);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t l = 0; l < k; ++l) c[i * n + j] += a[i * k + l] * b[j * k + l];
    }
  }
  return c;
}
Matrix transposed(const Matrix& a, std::size_t rows, std::size_t columns) {
  Matrix out(a.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) out[c * rows + r] = a[r * columns + c];
  }
  return out;
}
// The published iteration as it stands, in fp64, of a matrix that is wider than high.
Matrix newton_schulz(Matrix x, std::size_t rows, std::size_t columns) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  for (double& v : x) v /= std::sqrt(squares);
  for (int step = 0; step < 5; ++step) {
    const auto a = times_transposed(x, x, rows, rows, columns);
    const auto aa = times_transposed(a, a, rows, rows, rows);  // a is symmetric
    Matrix b(a.size());
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = -4.7750 * a[i] + 2.0315 * aa[i];
    const auto bx = times_transposed(b, transposed(x, rows, columns), rows, columns, rows);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 3.4445 * x[i] + bx[i];
  }
  return x;
}

double distance(const std::vector<float>& a, const Matrix& b) {
  double off = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    off += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += b[i] * b[i];
  }
  return std::sqrt(off / norm);
}

TEST(Orthogonalize, IsThePublishedIteration) {
  base::ThreadPool threads(2);
  for (const auto& [rows, columns] : {std::pair{16, 40}, std::pair{40, 16}, std::pair{24, 24}}) {
    const auto matrix = random_matrix(rows, columns, 3);
    const auto m = static_cast<std::size_t>(rows), n = static_cast<std::size_t>(columns);
    const auto expected = m <= n ? newton_schulz(matrix, m, n)
                                 : transposed(newton_schulz(transposed(matrix, m, n), n, m), n, m);
    for (const auto precision : {tensor::GemmPrecision::f32, tensor::GemmPrecision::bf16}) {
      Compute compute(threads, tensor::best_isa(), precision);
      std::vector<float> x(matrix.begin(), matrix.end());
      orthogonalize(x.data(), rows, columns, compute);
      EXPECT_LT(distance(x, expected), precision == tensor::GemmPrecision::f32 ? 1e-5 : 0.05);
    }
  }
}

TEST(Orthogonalize, LeavesSingularValuesNearOne) {
  base::ThreadPool threads(1);
  Compute compute(threads);
  const auto matrix = random_matrix(8, 64, 5);
  std::vector<float> x(matrix.begin(), matrix.end());
  orthogonalize(x.data(), 8, 64, compute);
  const Matrix y(x.begin(), x.end());
  const auto gram = times_transposed(y, y, 8, 8, 64);
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      if (i == j) {
        EXPECT_GT(gram[i * 8 + j], 0.4);
        EXPECT_LT(gram[i * 8 + j], 1.6);
      } else {
        EXPECT_LT(std::abs(gram[i * 8 + j]), 0.5);
      }
    }
  }
  // Its singular values stand on the diagonal.
  std::vector<float> diagonal(64);
  for (std::size_t i = 0; i < 8; ++i) diagonal[i * 9] = std::pow(0.45f, static_cast<float>(i));
  orthogonalize(diagonal.data(), 8, 8, compute);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_GT(diagonal[i * 9], 0.6) << i;
    EXPECT_LT(diagonal[i * 9], 1.3) << i;
  }
  std::vector<float> zeros(64);
  orthogonalize(zeros.data(), 8, 8, compute);
  EXPECT_EQ(zeros, std::vector<float>(64));
}

Parameters<float> parameters_with(const Matrix& gradients) {
  Parameters<float> parameters;
  for (const auto& [name, rows, columns] :
       {std::tuple{"embedding", 8, 32}, std::tuple{"layers.0.q", 32, 32},
        std::tuple{"layers.0.up", 96, 32}, std::tuple{"layers.0.ffn_norm", 1, 32}}) {
    auto& parameter = parameters.add(name, rows, columns, true);
    std::fill(parameter.value.begin(), parameter.value.end(), 1.0f);
    std::copy_n(gradients.begin(), parameter.size(), parameter.grad.begin());
  }
  return parameters;
}

TEST(Muon, StepsMatricesOfLayersAlone) {
  base::ThreadPool threads(2);
  Compute compute(threads);
  const auto gradients = random_matrix(96, 32, 7);
  auto parameters = parameters_with(gradients);
  Muon muon(parameters, {});
  ASSERT_EQ(muon.momenta().size(), 2u);
  const auto ranks = alone();
  ASSERT_TRUE(muon.step(0.01, 1, compute, *ranks).ok());
  for (const auto& parameter : parameters.all()) {
    double squares = 0;
    for (const float value : parameter.value)
      squares += std::pow(static_cast<double>(value) - (1 - 0.01 * 0.1), 2);
    const double rms = std::sqrt(squares / static_cast<double>(parameter.size())) / 0.01;
    if (muon_takes(parameter)) {
      EXPECT_GT(rms, 0.12) << parameter.name;  // 0.2 with singular values a little off 1
      EXPECT_LT(rms, 0.28) << parameter.name;
    } else {
      for (const float value : parameter.value) EXPECT_EQ(value, 1) << parameter.name;
    }
  }
}

TEST(Muon, TheSameBitsForAnyNumberOfRanksAndThreads) {
  const auto gradients = random_matrix(96, 32, 9);
  const auto after = [&](int count, int thread_count) {
    std::vector<Numbers<float>> values;
    on_ranks(count, [&](Collective& ranks) {
      base::ThreadPool threads(thread_count);
      Compute compute(threads);
      auto parameters = parameters_with(gradients);
      Muon muon(parameters, {}, ranks.place());
      for (int step = 0; step < 3; ++step) {
        for (auto& parameter : parameters.all())
          std::copy_n(gradients.begin() + step, parameter.size() - step, parameter.grad.begin());
        ASSERT_TRUE(muon.step(0.01, 0.5, compute, ranks).ok());
      }
      if (ranks.place().rank + 1 != count) return;
      for (const auto& parameter : parameters.all()) values.push_back(parameter.value);
    });
    return values;
  };
  const auto expected = after(1, 1);
  EXPECT_TRUE(expected == after(1, 3));
  EXPECT_TRUE(expected == after(3, 1));
}

}  // namespace
}  // namespace plinth::train
