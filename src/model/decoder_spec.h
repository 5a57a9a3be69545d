// One description of every decoder-only language model; the engine and the trainer execute it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace plinth::model {

struct RopeSpec {
  float base = 10000.0f;
  std::int32_t dimensions = 0;  // of each head, from its start
  // true: element i pairs with i + dimensions/2 (GPT-NeoX); false: 2i with 2i + 1.
  bool half_split = false;
  // Positions are divided by this (linear scaling); 1 = off.
  float linear_factor = 1.0f;
  // One divisor for each pair's frequency (Llama 3, LongRoPE); empty = none.
  std::vector<float> frequency_factors;
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
  float norm_epsilon = 1e-5f;
  RopeSpec rope;
};

// Weights of one layer: views into the mapped file. Vectors are empty where a model has none.
struct LayerWeights {
  std::vector<float> attention_norm, ffn_norm;  // [width]
  std::vector<float> q_norm, k_norm;            // [head_width], Qwen 3
  std::vector<float> q_bias, k_bias, v_bias;    // Qwen 2
  tensor::MatrixView q, k, v, o;                // [heads * head_width, width] and so on
  tensor::MatrixView gate, up, down;            // [ff, width], [ff, width], [width, ff]
};

struct DecoderWeights {
  tensor::MatrixView embedding;   // [vocab, width]
  tensor::MatrixView head;        // [vocab, width]; the embedding where tied
  std::vector<float> final_norm;  // [width]
  std::vector<LayerWeights> layers;
};

}  // namespace plinth::model
