// Products of a batch with a weight, and what is added to them. Backward too.
#pragma once

#include "train/tape.h"
#include "train/weight.h"

namespace plinth::train {

// y = x W^T. x: [m, inputs], y: [m, outputs].
template <typename T>
Var<T>& linear(Tape<T>& tape, Var<T>& x, Weight<T>& w);

// y = x W^T + factor * (x A^T) B^T.
// a: [rank, inputs], b: [outputs, rank]. Hu et al., "LoRA", 2021.
template <typename T>
Var<T>& linear_low_rank(Tape<T>& tape, Var<T>& x, Weight<T>& w, Weight<T>& a, Weight<T>& b,
                        T factor);

// y = x + bias. bias: [1, columns].
template <typename T>
Var<T>& add_bias(Tape<T>& tape, Var<T>& x, Var<T>& bias);

// a + b.
template <typename T>
Var<T>& add(Tape<T>& tape, Var<T>& a, Var<T>& b);

}  // namespace plinth::train
