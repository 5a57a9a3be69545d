// One description of every bidirectional text encoder with learned positions and norms after each
// half layer (BERT, RoBERTa, DistilBERT). Devlin et al., "BERT", 2019.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/norm_weights.h"
#include "tensor/dtype.h"

namespace plinth::model {

enum class EncoderActivation : std::uint8_t { gelu_erf, gelu_tanh, relu };
// How the last layer's rows become one vector. Reimers and Gurevych, "Sentence-BERT", 2019.
enum class Pooling : std::uint8_t { mean, cls, max };

struct EncoderSpec {
  std::string architecture;
  std::int32_t layers = 0;
  std::int32_t width = 0;
  std::int32_t heads = 0;  // of width / heads each
  std::int32_t ff_width = 0;
  std::int32_t vocab = 0;
  std::int32_t positions = 0;        // rows of the position table
  std::int32_t position_offset = 0;  // token t is at row t + offset (RoBERTa: 2)
  std::int32_t token_types = 0;      // 0: the model has none
  // Tokens of the longest input, [CLS] and [SEP] included.
  std::int32_t context = 0;
  float norm_epsilon = 1e-12f;
  EncoderActivation activation = EncoderActivation::gelu_erf;
  Pooling pooling = Pooling::mean;
  bool normalize = false;  // the pooled vector to length 1
};

// One linear layer with its bias. Matrices are views into the mapped file.
struct BiasedMatrix {
  tensor::MatrixView weight;
  std::vector<float> bias;  // [weight.rows]
};

struct EncoderLayerWeights {
  BiasedMatrix q, k, v, o;  // [width, width]
  NormWeights attention_norm;
  BiasedMatrix up, down;  // [ff_width, width], [width, ff_width]
  NormWeights output_norm;
};

struct EncoderWeights {
  tensor::MatrixView embedding;  // [vocab, width]
  tensor::MatrixView positions;  // [positions, width]
  // The row of token type 0, which every token of a single text has; empty where there are none.
  std::vector<float> token_type;  // [width]
  NormWeights embedding_norm;
  std::vector<EncoderLayerWeights> layers;
};

}  // namespace plinth::model
