// Gradients against central differences, in fp64.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "base/thread_pool.h"
#include "train/tape.h"

namespace plinth::train {

struct CheckedArray {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> value, grad;

  static CheckedArray random(std::int64_t rows, std::int64_t columns, std::mt19937_64& random) {
    CheckedArray array{rows, columns, {}, {}};
    array.value.resize(static_cast<std::size_t>(rows * columns));
    for (auto& x : array.value) x = std::normal_distribution<double>()(random);
    array.grad.resize(array.value.size());
    return array;
  }
};

// The loss of what `make` puts on the tape is a fixed random combination of its numbers. The slope
// along random directions of every array is held to the gradients, which `make` may use as they are
// in `arrays` (as leaves, or as weights).
inline void check_gradients(std::vector<CheckedArray>& arrays,
                            const std::function<Var<double>&(Tape<double>&)>& make,
                            std::uint64_t seed = 7) {
  std::mt19937_64 random(seed);
  base::ThreadPool threads(2);
  Compute compute(threads);
  std::vector<double> combination;
  const auto loss = [&](bool back) {
    Tape<double> tape(compute);
    Var<double>& y = make(tape);
    if (combination.empty()) {
      for (std::int64_t i = 0; i < y.size(); ++i)
        combination.push_back(std::normal_distribution<double>()(random));
    }
    double sum = 0;
    for (std::int64_t i = 0; i < y.size(); ++i)
      sum += combination[static_cast<std::size_t>(i)] * y.value[i];
    if (back) {
      std::copy(combination.begin(), combination.end(), tape.grad(y));
      tape.backward();
    }
    return sum;
  };
  for (auto& array : arrays) std::fill(array.grad.begin(), array.grad.end(), 0.0);
  loss(true);
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    auto& array = arrays[a];
    const auto before = array.value;
    for (int round = 0; round < 3; ++round) {
      double expected = 0;
      std::vector<double> direction;
      for (const double g : array.grad) {
        direction.push_back(std::normal_distribution<double>()(random));
        expected += direction.back() * g;
      }
      constexpr double kStep = 1e-5;
      const auto at = [&](double step) {
        for (std::size_t i = 0; i < before.size(); ++i)
          array.value[i] = before[i] + step * direction[i];
        return loss(false);
      };
      const double slope = (at(kStep) - at(-kStep)) / (2 * kStep);
      array.value = before;
      EXPECT_NEAR(slope, expected, 1e-6 * std::max(1.0, std::abs(slope))) << "array " << a;
    }
  }
}

// As a leaf.
inline Var<double>& leaf_of(Tape<double>& tape, CheckedArray& array) {
  return tape.leaf(array.value.data(), array.grad.data(), array.rows, array.columns);
}

}  // namespace plinth::train
