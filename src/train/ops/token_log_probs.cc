#include "train/ops/token_log_probs.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "train/rows.h"

namespace plinth::train {

namespace {

// Rows whose logits are there at once, as in the loss.
constexpr std::int64_t kHeadRows = 128;

template <typename T>
double log_prob(const T* logits, std::int64_t vocab, std::int32_t target) {
  const T highest = *std::max_element(logits, logits + vocab);
  double sum = 0;  // in fp64, as the sum of a large vocabulary's small parts
  for (std::int64_t i = 0; i < vocab; ++i)
    sum += std::exp(static_cast<double>(logits[i] - highest));
  return static_cast<double>(logits[target]) - static_cast<double>(highest) - std::log(sum);
}

std::vector<std::int64_t> rows_looked_at(const Batch& batch) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < batch.tokens(); ++row) {
    if (batch.weights[static_cast<std::size_t>(row)] != 0) rows.push_back(row);
  }
  return rows;
}

}  // namespace

template <typename T>
Var<T>& token_log_probs(Tape<T>& tape, Var<T>& x, Weight<T>& head, const Batch& batch,
                        const HeadShape& shape) {
  CHECK(x.rows == batch.tokens() && batch.targets.size() == batch.ids.size() &&
        batch.weights.size() == batch.ids.size());
  Var<T>& y = tape.make(x.rows, 1, x.wants_grad || head.learns());
  std::fill_n(y.value, y.rows, T{0});
  const auto vocab = head.rows();
  Var<T>& some = tape.make(kHeadRows, x.columns, false);
  T* logits = tape.make(kHeadRows, vocab, false).value;
  const auto rows = rows_looked_at(batch);
  for (std::size_t begin = 0; begin < rows.size(); begin += kHeadRows) {
    const auto count =
        static_cast<std::int64_t>(std::min<std::size_t>(kHeadRows, rows.size() - begin));
    const auto* chosen = rows.data() + begin;
    for (std::int64_t i = 0; i < count; ++i)
      std::copy_n(x.value + chosen[i] * x.columns, x.columns, some.value + i * x.columns);
    head_logits(some, 0, count, head, shape, logits, tape.compute());
    for_rows(tape.threads(), count, [&](std::int64_t i) {
      const auto target = batch.targets[static_cast<std::size_t>(chosen[i])];
      y.value[chosen[i]] = static_cast<T>(log_prob(logits + i * vocab, vocab, target));
    });
  }
  tape.record(y, [&tape, &x, &head, &batch, &y, shape] {
    // A coefficient of a log-probability is minus the weight of a loss.
    Batch weighted = batch;
    for (std::size_t i = 0; i < weighted.weights.size(); ++i) {
      if (weighted.weights[i] != 0) weighted.weights[i] = -static_cast<float>(y.grad[i]);
    }
    cross_entropy(tape, x, head, weighted, shape, 1);
  });
  return y;
}

template Var<float>& token_log_probs(Tape<float>&, Var<float>&, Weight<float>&, const Batch&,
                                     const HeadShape&);
template Var<double>& token_log_probs(Tape<double>&, Var<double>&, Weight<double>&, const Batch&,
                                      const HeadShape&);

}  // namespace plinth::train
