// The element-wise operations of a decoder or encoder, chosen for an instruction set by ops_for().
// All fp32. Legend: m tokens, width d, heads h, head width e.
//
// Each output row is computed from its own inputs in a fixed order, so its bits depend on neither
// the batch nor the threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/isa.h"

namespace plinth::tensor {

// Positions of one page of keys and values (tensor/attention.h).
inline constexpr int kPageTokens = 16;

struct Ops {
  // y = x / rms(x) * w, over d. Zhang and Sennrich, "Root mean square layer normalization", 2019.
  void (*rms_norm)(const float* x, const float* w, float epsilon, int d, float* y);
  // y = (x - mean) / sqrt(variance + epsilon) * w + b, over d; b may be null. x may be y.
  // Ba, Kiros and Hinton, "Layer normalization", 2016.
  void (*layer_norm)(const float* x, const float* w, const float* b, float epsilon, int d,
                     float* y);
  // gate = silu(gate) * up, over n. Shazeer, "GLU variants improve transformer", 2020.
  void (*silu_mul)(float* gate, const float* up, std::int64_t n);
  // gate = gelu(gate) * up, over n, gelu in the form with tanh.
  void (*gelu_tanh_mul)(float* gate, const float* up, std::int64_t n);
  // x = cap * tanh(x / cap), over n. Gemma Team, "Gemma 2", 2024.
  void (*softcap)(float* x, float cap, std::int64_t n);
  // x *= factor, over n.
  void (*scale)(float* x, float factor, std::int64_t n);
  // x = gelu(x), over n, with the normal distribution itself (erf) or its tanh approximation.
  // Hendrycks and Gimpel, "Gaussian error linear units", 2016.
  void (*gelu_erf)(float* x, std::int64_t n);
  void (*gelu_tanh)(float* x, std::int64_t n);
  // x += y, over n.
  void (*add)(float* x, const float* y, std::int64_t n);
  // Rotates pairs of one head in place; cosine and sine: [dimensions / 2].
  // Su et al., "RoFormer", 2021. half_split as in model::RopeSpec.
  void (*rope)(float* head, const float* cosine, const float* sine, int dimensions,
               bool half_split);
};

const Ops& ops_for(Isa isa);

}  // namespace plinth::tensor
