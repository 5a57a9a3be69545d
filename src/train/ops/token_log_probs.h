// How likely each target was, for losses that are made of whole answers: their coefficients are
// known only once the answers' sums are.
#pragma once

#include "train/batch.h"
#include "train/ops/cross_entropy.h"
#include "train/tape.h"
#include "train/weight.h"

namespace plinth::train {

// y[i] = log p(target i), nats; 0 where its weight is 0, which otherwise counts for nothing.
// x: [m, width], of a batch of m tokens; y: [m, 1]. A few rows of logits are there at once;
// backward makes them again. `head` and `batch` outlive the tape's use.
template <typename T>
Var<T>& token_log_probs(Tape<T>& tape, Var<T>& x, Weight<T>& head, const Batch& batch,
                        const HeadShape& shape);

}  // namespace plinth::train
