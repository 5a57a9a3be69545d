#include "train/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "train/rows.h"

namespace plinth::train {

namespace {

// Rows whose logits are there at once: 256 of 50,000 words are 50 MB, and enough for a product.
constexpr std::int64_t kHeadRows = 256;

template <typename T>
void shape_logits(const HeadShape& shape, T* logits, std::int64_t n) {
  const auto scale = static_cast<T>(shape.logits_scale), cap = static_cast<T>(shape.softcap);
  if (scale != 1) {
    for (std::int64_t i = 0; i < n; ++i) logits[i] *= scale;
  }
  if (cap > 0) {
    for (std::int64_t i = 0; i < n; ++i) logits[i] = cap * std::tanh(logits[i] / cap);
  }
}

// One row's negative log-likelihood and whether its target is the most likely. Leaves in `logits`
// the gradient of factor times it by the head's own outputs, where `back`.
template <typename T>
std::pair<double, bool> close_row(T* logits, std::int64_t vocab, std::int32_t target,
                                  const HeadShape& shape, T factor, bool back) {
  const T* most = std::max_element(logits, logits + vocab);
  const bool correct = most - logits == target;
  const T highest = *most;
  // In fp64, as the sum of a large vocabulary's small parts.
  double sum = 0;
  for (std::int64_t i = 0; i < vocab; ++i)
    sum += std::exp(static_cast<double>(logits[i] - highest));
  const double log_sum = std::log(sum) + static_cast<double>(highest);
  const double loss = log_sum - static_cast<double>(logits[target]);
  if (!back) return {loss, correct};
  const auto scale = static_cast<T>(shape.logits_scale), cap = static_cast<T>(shape.softcap);
  for (std::int64_t i = 0; i < vocab; ++i) {
    const T logit = logits[i];
    T slope = factor * (std::exp(logit - static_cast<T>(log_sum)) - (i == target ? 1 : 0)) * scale;
    if (cap > 0) slope *= 1 - (logit / cap) * (logit / cap);
    logits[i] = slope;
  }
  return {loss, correct};
}

// The same in vectors.
std::pair<double, bool> close_row(const tensor::GradientOps& ops, float* logits, std::int64_t vocab,
                                  std::int32_t target, const HeadShape& shape, float factor,
                                  bool back) {
  std::int64_t most = 0;
  const double log_sum = ops.log_sum_exp(logits, vocab, most);
  const std::pair outcome{log_sum - static_cast<double>(logits[target]), most == target};
  if (!back) return outcome;
  const auto scale = static_cast<float>(shape.logits_scale),
             cap = static_cast<float>(shape.softcap);
  const float own = logits[target];
  if (cap > 0) return close_row<float>(logits, vocab, target, shape, factor, back);
  ops.probabilities(logits, vocab, static_cast<float>(log_sum), factor * scale);
  logits[target] = factor * (std::exp(own - static_cast<float>(log_sum)) - 1) * scale;
  return outcome;
}

// The rows of a batch that are looked at, some at a time.
template <typename T>
class Chunk {
 public:
  // Its memory is the tape's, until that is cleared.
  Chunk(Tape<T>& tape, std::int64_t width, std::int64_t vocab)
      : width_(width),
        x_(tape.make(kHeadRows, width, false).value),
        dx_(tape.make(kHeadRows, width, false).value),
        logits_(tape.make(kHeadRows, vocab, false).value) {}

  Loss run(Tape<T>& tape, Var<T>& x, Weight<T>& head, const Batch& batch,
           std::span<const std::int64_t> rows, const HeadShape& shape, double factor) {
    auto& threads = tape.threads();
    const auto m = static_cast<std::int64_t>(rows.size());
    const auto vocab = head.rows();
    for (std::int64_t i = 0; i < m; ++i) {
      std::copy_n(x.value + rows[static_cast<std::size_t>(i)] * width_, width_, x_ + i * width_);
    }
    head.multiply(x_, m, logits_, false, tape.compute());
    const bool back = tape.recording() && (x.wants_grad || head.learns());
    std::vector<std::pair<double, bool>> outcomes(rows.size());
    for_rows(threads, m, [&](std::int64_t i) {
      const auto row = static_cast<std::size_t>(rows[static_cast<std::size_t>(i)]);
      T* logits = logits_ + i * vocab;
      shape_logits(shape, logits, vocab);
      const auto row_factor = static_cast<T>(factor * static_cast<double>(batch.weights[row]));
      const auto target = batch.targets[row];
      auto& outcome = outcomes[static_cast<std::size_t>(i)];
      if constexpr (std::is_same_v<T, float>) {
        outcome = close_row(tape.compute().ops, logits, vocab, target, shape, row_factor, back);
      } else {
        outcome = close_row(logits, vocab, target, shape, row_factor, back);
      }
    });
    if (back) pass_back(tape, x, head, rows);
    Loss loss;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double weight = batch.weights[static_cast<std::size_t>(rows[i])];
      loss += {weight * outcomes[i].first, weight, 1, outcomes[i].second ? 1 : 0};
    }
    return loss;
  }

 private:
  // logits_ are gradients.
  void pass_back(Tape<T>& tape, Var<T>& x, Weight<T>& head, std::span<const std::int64_t> rows) {
    const auto m = static_cast<std::int64_t>(rows.size());
    if (head.learns()) head.add_gradient(logits_, x_, m, tape.compute());
    if (!x.wants_grad) return;
    head.multiply_back(logits_, m, dx_, false, tape.compute());
    T* dx = tape.grad(x);
    for (std::int64_t i = 0; i < m; ++i) {
      T* row = dx + rows[static_cast<std::size_t>(i)] * width_;
      for (std::int64_t c = 0; c < width_; ++c) row[c] += dx_[i * width_ + c];
    }
  }

  const std::int64_t width_;
  T *const x_, *const dx_, *const logits_;
};

}  // namespace

template <typename T>
Loss cross_entropy(Tape<T>& tape, Var<T>& x, Weight<T>& head, const Batch& batch,
                   const HeadShape& shape, double factor) {
  CHECK(x.rows == batch.tokens() && batch.targets.size() == batch.ids.size() &&
        batch.weights.size() == batch.ids.size());
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < x.rows; ++row) {
    if (batch.weights[static_cast<std::size_t>(row)] != 0) rows.push_back(row);
  }
  Chunk<T> chunk(tape, x.columns, head.rows());
  Loss loss;
  for (std::size_t begin = 0; begin < rows.size(); begin += kHeadRows) {
    const auto count = std::min<std::size_t>(kHeadRows, rows.size() - begin);
    loss += chunk.run(tape, x, head, batch, std::span(rows).subspan(begin, count), shape, factor);
  }
  return loss;
}

template <typename T>
void head_logits(const Var<T>& x, std::int64_t begin, std::int64_t end, const Weight<T>& head,
                 const HeadShape& shape, T* logits, Compute& compute) {
  head.multiply(x.value + begin * x.columns, end - begin, logits, false, compute);
  shape_logits(shape, logits, (end - begin) * head.rows());
}

template Loss cross_entropy(Tape<float>&, Var<float>&, Weight<float>&, const Batch&,
                            const HeadShape&, double);
template Loss cross_entropy(Tape<double>&, Var<double>&, Weight<double>&, const Batch&,
                            const HeadShape&, double);
template void head_logits(const Var<float>&, std::int64_t, std::int64_t, const Weight<float>&,
                          const HeadShape&, float*, Compute&);
template void head_logits(const Var<double>&, std::int64_t, std::int64_t, const Weight<double>&,
                          const HeadShape&, double*, Compute&);

}  // namespace plinth::train
