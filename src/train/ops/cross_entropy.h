// The loss of a language model and what its head passes back, a few rows of logits at a time: all
// of them at once would be larger than the model.
#pragma once

#include <cstdint>

#include "train/batch.h"
#include "train/tape.h"
#include "train/weight.h"

namespace plinth::train {

struct HeadShape {
  double logits_scale = 1;
  double softcap = 0;  // cap * tanh(logit / cap); 0 = off
};

// Of the targets whose weight is not 0.
struct Loss {
  double sum = 0;            // of weight times negative log-likelihood, nats
  double weight = 0;         // of those weights
  std::int64_t targets = 0;  // how many there were
  std::int64_t correct = 0;  // targets that were the most likely token
  double margin = 0;         // of pairs (preference.h), the sum

  double mean() const { return weight > 0 ? sum / weight : 0; }
  Loss& operator+=(const Loss& other) {
    sum += other.sum;
    weight += other.weight;
    targets += other.targets;
    correct += other.correct;
    margin += other.margin;
    return *this;
  }
};

// Logits are x W^T. x: [m, width], of a batch of m tokens. While the tape is recording, the
// gradients of factor * sum are added to x's and the head's on the spot.
template <typename T>
Loss cross_entropy(Tape<T>& tape, Var<T>& x, Weight<T>& head, const Batch& batch,
                   const HeadShape& shape, double factor);

// Logits of rows [begin, end) of x, [end - begin, vocab], as the loss has them.
template <typename T>
void head_logits(const Var<T>& x, std::int64_t begin, std::int64_t end, const Weight<T>& head,
                 const HeadShape& shape, T* logits, Compute& compute);

}  // namespace plinth::train
