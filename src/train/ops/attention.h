// Causal attention within each document, in one go: the matrix of probabilities is never kept, but
// made again backward from each row's log-sum-exp. Dao et al., "FlashAttention", 2022.
#pragma once

#include <vector>

#include "train/batch.h"
#include "train/tape.h"

namespace plinth::train {

struct AttentionShape {
  std::int64_t heads = 0, kv_heads = 0, head_width = 0;  // heads / kv_heads queries share a key
  double scale = 1;                                      // of q k^T
  double softcap = 0;                                    // cap * tanh(score / cap); 0 = off
  std::int64_t window = 0;  // attends to the last `window` positions, its own included; 0 = to all
};

// q: [m, heads * head_width]; k, v: [m, kv_heads * head_width]; the outcome as q.
// `documents` outlives the tape's use.
template <typename T>
Var<T>& attention(Tape<T>& tape, Var<T>& q, Var<T>& k, Var<T>& v, const AttentionShape& shape,
                  const std::vector<Document>& documents);

}  // namespace plinth::train
