// One description of every decoder-only language model; the engine and the trainer execute it.
//
// A layer is
//   x += post_norm(attention(norm(x)));  x += post_norm(feed_forward(norm(x)))
// where what a model lacks (post norms, biases, gates, windows, experts) is absent or neutral here,
// so nothing downstream asks for the architecture's name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/norm_weights.h"
#include "tensor/dtype.h"

namespace plinth::model {

enum class NormKind {
  rms,    // x / rms(x) * w; Gemma's 1 + w is folded into w when loading
  layer,  // (x - mean) / deviation * w + b
};

enum class Activation { silu, gelu_tanh, gelu_erf };

// What model files say about scaling; a field that a kind does not use is ignored.
struct RopeScaling {
  std::string kind = "default";  // default, linear, llama3, yarn, longrope
  double factor = 1;
  std::int32_t original_context = 0;
  double attention_factor = 0;  // 0 = as the scaling's paper gives it
  // Llama 3: wavelengths above original_context / low_frequency are stretched in full.
  double low_frequency = 1, high_frequency = 4;
  // YaRN: pairs that turn more than beta_fast times over the original context are kept.
  double beta_fast = 32, beta_slow = 1;
  double mscale = 0, mscale_all_dim = 0;  // DeepSeek's form of YaRN's attention factor; 0 = unset
  bool truncate = true;                   // YaRN's borders are rounded to whole pairs
  // LongRoPE: [dimensions / 2], divisors within and beyond the original context.
  std::vector<double> short_factors, long_factors;
};

// Rotary positions with every scaling already in the frequencies (decoder/rope_scaling.h).
struct RopeSpec {
  std::int32_t dimensions = 0;  // of each head, from its start
  // true: element i pairs with i + dimensions/2 (GPT-NeoX); false: 2i with 2i + 1.
  bool half_split = false;
  std::vector<double> frequencies;  // [dimensions / 2], radians per position
  // LongRoPE: the frequencies of a sequence that is longer than original_context; else empty.
  std::vector<double> long_frequencies;
  std::int32_t original_context = 0;
  // Multiplies cosines and sines (YaRN and LongRoPE).
  float attention_factor = 1;
  // What the file says of it, where it says no divisors: for those who write it again.
  double theta = 0;
  RopeScaling scaling;
};

enum class LayerRope : std::uint8_t { none, global, local };

// In what layers of one model differ.
struct LayerSpec {
  std::int32_t window = 0;  // attends to the last `window` positions, its own included; 0 = to all
  LayerRope rope = LayerRope::global;
  bool experts = false;  // a mixture of experts instead of one feed-forward block
};

struct ExpertSpec {
  std::int32_t count = 0;  // 0 = a dense model
  std::int32_t used = 0;   // for each token, the most probable of the router's softmax
  std::int32_t ff_width = 0;
  bool normalize = false;  // the used experts' probabilities are divided by their sum
};

struct DecoderSpec {
  std::string architecture;
  std::int32_t layers = 0;
  std::int32_t width = 0;  // d_model
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_width = 0;
  std::int32_t ff_width = 0;
  std::int32_t vocab = 0;
  std::int32_t context = 0;  // trained positions

  NormKind norm = NormKind::rms;
  float norm_epsilon = 1e-5f;
  bool post_norms = false;  // also norms what each half adds (Gemma 2 and 3)
  bool qk_norm = false;     // an rms norm of each query and key head, before rope
  Activation activation = Activation::silu;
  bool gated = true;               // down(act(gate x) * up x), else down(act(up x))
  bool learned_positions = false;  // added to the embedding (GPT-2)
  float attention_scale = 1;       // of q k^T
  float attention_softcap = 0;     // 0 = off
  float final_softcap = 0;         // of the logits; 0 = off
  float embedding_scale = 1;
  float logits_scale = 1;

  RopeSpec rope;
  RopeSpec local_rope;  // of layers with LayerRope::local (Gemma 3)
  std::vector<LayerSpec> layer;
  ExpertSpec experts;
};

// Weights of one layer: views into the mapped file. Vectors are empty where a model has none.
struct LayerWeights {
  NormWeights attention_norm, ffn_norm;
  NormWeights attention_post_norm, ffn_post_norm;
  std::vector<float> q_norm, k_norm;  // [head_width]
  std::vector<float> q_bias, k_bias, v_bias, o_bias;
  std::vector<float> gate_bias, up_bias, down_bias;
  tensor::MatrixView q, k, v, o;      // [heads * head_width, width] and so on
  tensor::MatrixView gate, up, down;  // [ff, width], [ff, width], [width, ff]; gate where gated
  tensor::MatrixView router;          // [experts, width]
  std::vector<tensor::MatrixView> expert_gate, expert_up, expert_down;  // by expert
};

struct DecoderWeights {
  tensor::MatrixView embedding;  // [vocab, width]
  tensor::MatrixView head;       // [vocab, width]; the embedding where tied
  tensor::MatrixView positions;  // [context, width], where learned
  NormWeights final_norm;
  std::vector<LayerWeights> layers;
  // Matrices that the file stores in another order; views above point into them.
  std::vector<std::vector<float>> reordered;
};

}  // namespace plinth::model
