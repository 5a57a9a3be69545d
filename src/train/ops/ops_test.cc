// Every operation against differences in fp64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/dense_weight.h"
#include "train/ops/activation.h"
#include "train/ops/attention.h"
#include "train/ops/cross_entropy.h"
#include "train/ops/embedding.h"
#include "train/ops/linear.h"
#include "train/ops/norm.h"
#include "train/ops/rope.h"
#include "train/ops/token_log_probs.h"
#include "train/testing/gradient_check.h"

namespace plinth::train {
namespace {

class Ops : public ::testing::Test {
 protected:
  CheckedArray& array(std::int64_t rows, std::int64_t columns) {
    arrays_.push_back(CheckedArray::random(rows, columns, random_));
    return arrays_.back();
  }
  void check(const std::function<Var<double>&(Tape<double>&)>& make) {
    check_gradients(arrays_, make);
  }
  DenseWeight<double> weight(std::size_t index) {
    auto& stored = arrays_[index];
    return {stored.value.data(), stored.grad.data(), stored.rows, stored.columns};
  }
  Var<double>& leaf(Tape<double>& tape, std::size_t index) { return leaf_of(tape, arrays_[index]); }

  std::mt19937_64 random_{20261130};
  std::vector<CheckedArray> arrays_;
};

TEST_F(Ops, LinearAndBias) {
  array(37, 19);
  array(23, 19);
  array(1, 23);
  auto w = weight(1);
  check([&](auto& tape) -> Var<double>& {
    return add_bias(tape, linear(tape, leaf(tape, 0), w), leaf(tape, 2));
  });
}

TEST_F(Ops, AVarThatIsUsedTwiceCollectsBoth) {
  array(5, 7);
  array(7, 7);
  auto w = weight(1);
  check([&](auto& tape) -> Var<double>& {
    Var<double>& x = linear(tape, leaf(tape, 0), w);
    return add(tape, linear(tape, x, w), x);
  });
}

TEST_F(Ops, LowRank) {
  array(11, 8);
  array(6, 8);
  array(3, 8);
  array(6, 3);
  auto w = weight(1), a = weight(2), b = weight(3);
  check([&](auto& tape) -> Var<double>& {
    Var<double>& x = leaf(tape, 0);
    return linear_low_rank(tape, x, w, a, b, 0.5);
  });
}

TEST_F(Ops, Norms) {
  array(300, 12);
  array(1, 12);
  array(1, 12);
  array(1, 4);
  check([&](auto& tape) -> Var<double>& {
    return rms_norm(tape, leaf(tape, 0), leaf(tape, 1), 1e-5);
  });
  check([&](auto& tape) -> Var<double>& {
    return layer_norm(tape, leaf(tape, 0), leaf(tape, 1), &leaf(tape, 2), 1e-5);
  });
  check([&](auto& tape) -> Var<double>& {
    return rms_norm_heads(tape, leaf(tape, 0), leaf(tape, 3), 1e-5);
  });
}

TEST_F(Ops, Activations) {
  array(9, 10);
  array(9, 10);
  for (const auto activation :
       {model::Activation::silu, model::Activation::gelu_tanh, model::Activation::gelu_erf}) {
    check([&](auto& tape) -> Var<double>& { return activate(tape, leaf(tape, 0), activation); });
    check([&](auto& tape) -> Var<double>& {
      return activate_gated(tape, leaf(tape, 0), leaf(tape, 1), activation);
    });
  }
}

Batch documents(std::vector<std::int64_t> lengths) {
  Batch batch;
  std::int64_t begin = 0;
  for (const auto length : lengths) {
    batch.documents.push_back({begin, length});
    begin += length;
  }
  batch.ids.resize(static_cast<std::size_t>(begin));
  batch.targets.resize(batch.ids.size());
  batch.weights.resize(batch.ids.size(), 1.0f);
  return batch;
}

TEST_F(Ops, Rope) {
  array(9, 2 * 8);
  const auto batch = documents({4, 5});
  for (const bool half_split : {false, true}) {
    model::RopeSpec spec;
    spec.dimensions = 6;
    spec.half_split = half_split;
    spec.frequencies = {1, 0.3, 0.05};
    spec.attention_factor = 1.2f;
    const auto angles = rope_angles<double>(spec, batch);
    check([&](auto& tape) -> Var<double>& { return rope(tape, leaf(tape, 0), angles, 8); });
  }
}

TEST_F(Ops, Attention) {
  array(12, 4 * 6);
  array(12, 2 * 6);
  array(12, 2 * 6);
  const auto batch = documents({7, 1, 4});
  for (const std::int64_t window : {0, 3}) {
    for (const double softcap : {0.0, 1.5}) {
      AttentionShape shape{4, 2, 6, 0.4, softcap, window};
      check([&](auto& tape) -> Var<double>& {
        return attention(tape, leaf(tape, 0), leaf(tape, 1), leaf(tape, 2), shape, batch.documents);
      });
    }
  }
}

TEST_F(Ops, DocumentsDoNotSeeEachOther) {
  base::ThreadPool threads(1);
  Compute compute(threads);
  const auto run = [&](std::vector<std::int64_t> lengths, double first) {
    Tape<double> tape(compute);
    std::vector<double> x(8 * 4, 0.5);
    x[0] = first;
    auto& q = tape.leaf(x.data(), nullptr, 8, 4);
    const auto batch = documents(std::move(lengths));
    auto& y = attention(tape, q, q, q, {1, 1, 4, 1, 0, 0}, batch.documents);
    return std::vector<double>(y.value + 4 * 4, y.value + 8 * 4);
  };
  EXPECT_EQ(run({4, 4}, 1), run({4, 4}, 9));
  EXPECT_NE(run({8}, 1), run({8}, 9));
}

// Long documents in fp32 go by products of matrices: beside the rows of the reference in fp64.
TEST_F(Ops, AttentionByBlocks) {
  constexpr std::int64_t kTokens = 300, kMiddle = 40, kShort = 20;
  constexpr std::int64_t kAll = kTokens + kMiddle + kShort;
  array(kAll, 4 * 6);
  array(kAll, 2 * 6);
  array(kAll, 2 * 6);
  array(kAll, 4 * 6);
  const auto batch = documents({kTokens, kMiddle, kShort});
  base::ThreadPool one(1), three(3);
  Compute alone(one), shared(three);
  const auto run = [&]<typename T>(T, const AttentionShape& shape, Compute& compute) {
    std::vector<std::vector<T>> values, grads;
    for (const auto& stored : arrays_) {
      values.emplace_back(stored.value.begin(), stored.value.end());
      grads.emplace_back(stored.value.size());
    }
    Tape<T> tape(compute);
    const auto leaf_at = [&](std::size_t i) -> Var<T>& {
      return tape.leaf(values[i].data(), grads[i].data(), arrays_[i].rows, arrays_[i].columns);
    };
    auto& y = attention(tape, leaf_at(0), leaf_at(1), leaf_at(2), shape, batch.documents);
    std::vector<double> all(y.value, y.value + y.size());
    std::copy(values[3].begin(), values[3].end(), tape.grad(y));
    tape.backward();
    for (const auto& grad : grads) all.insert(all.end(), grad.begin(), grad.end());
    return all;
  };
  for (const std::int64_t window : {0, 50, 270}) {
    for (const double softcap : {0.0, 1.5}) {
      const AttentionShape shape{4, 2, 6, 0.4, softcap, window};
      const auto expected = run(double{}, shape, alone), got = run(float{}, shape, alone);
      EXPECT_TRUE(got == run(float{}, shape, shared)) << "bits depend on the number of threads";
      ASSERT_EQ(expected.size(), got.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], expected[i], 2e-5 * std::max(1.0, std::abs(expected[i]))) << i;
    }
  }
}

TEST_F(Ops, Embedding) {
  array(10, 5);
  auto table = weight(0);
  const std::vector<std::int32_t> ids = {3, 9, 3, 0, 3, 9};
  check([&](auto& tape) -> Var<double>& { return embedding(tape, table, ids, 1.7); });
}

TEST_F(Ops, TokenLogProbs) {
  array(300, 6);
  array(11, 6);
  auto head = weight(1);
  auto batch = documents({300});
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    batch.targets[i] = static_cast<std::int32_t>(random_() % 11);
    batch.weights[i] = i % 3 == 0 ? 0.0f : 1.0f;
  }
  base::ThreadPool threads(2);
  Compute compute(threads);
  for (const HeadShape shape : {HeadShape{1, 0}, HeadShape{0.7, 2.0}}) {
    check([&](auto& tape) -> Var<double>& {
      return token_log_probs(tape, leaf(tape, 0), head, batch, shape);
    });
    // Together they are the loss.
    Tape<double> tape(compute);
    tape.set_recording(false);
    const auto& scores = token_log_probs(tape, leaf(tape, 0), head, batch, shape);
    const auto loss = cross_entropy(tape, leaf(tape, 0), head, batch, shape, 0);
    EXPECT_NEAR(std::accumulate(scores.value, scores.value + 300, 0.0), -loss.sum, 1e-9);
    EXPECT_EQ(scores.value[0], 0);
    EXPECT_LT(scores.value[1], 0);
  }
}

// The loss goes back on the spot, so its own differences are taken here.
TEST_F(Ops, CrossEntropy) {
  array(300, 6);
  array(11, 6);
  auto head = weight(1);
  auto batch = documents({300});
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    batch.targets[i] = static_cast<std::int32_t>(random_() % 11);
    batch.weights[i] = i % 3 == 0 ? 0.0f : i % 3 == 1 ? 1.0f : 0.5f;
  }
  base::ThreadPool threads(2);
  Compute compute(threads);
  for (const HeadShape shape : {HeadShape{1, 0}, HeadShape{0.7, 2.0}}) {
    const auto loss = [&](bool back) {
      Tape<double> tape(compute);
      tape.set_recording(back);
      const auto result = cross_entropy(tape, leaf(tape, 0), head, batch, shape, 0.25);
      EXPECT_EQ(result.targets, 200);
      EXPECT_DOUBLE_EQ(result.weight, 150);
      return 0.25 * result.sum;
    };
    for (auto& stored : arrays_) std::fill(stored.grad.begin(), stored.grad.end(), 0.0);
    loss(true);
    for (auto& stored : arrays_) {
      for (const std::size_t i : {std::size_t{0}, std::size_t{7}, stored.value.size() - 1}) {
        const double before = stored.value[i];
        stored.value[i] = before + 1e-5;
        const double above = loss(false);
        stored.value[i] = before - 1e-5;
        const double below = loss(false);
        stored.value[i] = before;
        EXPECT_NEAR(stored.grad[i], (above - below) / 2e-5, 1e-8);
      }
    }
  }
}

}  // namespace
}  // namespace plinth::train
