// Attention of all but very short documents by products of matrices, up to some hundred queries of
// one head at a time: what attention.cc does row by row, which is its reference.
#pragma once

#include "train/ops/attention.h"

namespace plinth::train {

// From here on products are worth their overhead: of 64 tokens they take a third of the time.
inline constexpr std::int64_t kBlockedTokens = 32;

// out: as q; log_sums: [m, heads].
void attention_blocks(Compute& compute, const Var<float>& q, const Var<float>& k,
                      const Var<float>& v, const AttentionShape& shape,
                      const std::vector<Document>& documents, float* log_sums, float* out);

// Adds to dq, dk and dv, of which any may be null. out has its gradient. To be called while the
// tape goes backward, whose memory it uses.
void attention_blocks_backward(Tape<float>& tape, const Var<float>& q, const Var<float>& k,
                               const Var<float>& v, const AttentionShape& shape,
                               const std::vector<Document>& documents, const float* log_sums,
                               const Var<float>& out, float* dq, float* dk, float* dv);

}  // namespace plinth::train
