// Norms of each row, backward too. w, b: [1, columns].
#pragma once

#include "train/tape.h"

namespace plinth::train {

// y = x / rms(x) * w. Zhang and Sennrich, "Root mean square layer normalization", 2019.
template <typename T>
Var<T>& rms_norm(Tape<T>& tape, Var<T>& x, Var<T>& w, T epsilon);

// The same of each part of w's columns: heads that lie side by side in a row, [rows, heads *
// width].
template <typename T>
Var<T>& rms_norm_heads(Tape<T>& tape, Var<T>& x, Var<T>& w, T epsilon);

// y = (x - mean) / sqrt(variance + epsilon) * w + b. Ba, Kiros and Hinton, "Layer normalization",
// 2016. b may be null.
template <typename T>
Var<T>& layer_norm(Tape<T>& tape, Var<T>& x, Var<T>& w, Var<T>* b, T epsilon);

}  // namespace plinth::train
