// Whether two files hold one model.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "model/model_file.h"
#include "model/tokenizer.h"

namespace plinth::model {

inline std::vector<float> plain(const tensor::MatrixView& matrix) {
  std::vector<float> out(static_cast<std::size_t>(matrix.rows * matrix.columns));
  const auto bytes = tensor::row_bytes(matrix.dtype, matrix.columns);
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    tensor::dequantize_row(matrix.dtype, matrix.data + static_cast<std::size_t>(r) * bytes,
                           out.data() + r * matrix.columns, matrix.columns);
  }
  return out;
}

inline void expect_same_spec(const DecoderSpec& a, const DecoderSpec& b) {
  EXPECT_EQ(a.architecture, b.architecture);
  EXPECT_EQ(std::tie(a.layers, a.width, a.heads, a.kv_heads, a.head_width, a.ff_width, a.vocab,
                     a.context, a.norm_epsilon, a.activation, a.attention_scale),
            std::tie(b.layers, b.width, b.heads, b.kv_heads, b.head_width, b.ff_width, b.vocab,
                     b.context, b.norm_epsilon, b.activation, b.attention_scale));
  ASSERT_EQ(a.rope.frequencies.size(), b.rope.frequencies.size());
  for (std::size_t i = 0; i < a.rope.frequencies.size(); ++i)
    EXPECT_NEAR(a.rope.frequencies[i], b.rope.frequencies[i], 1e-6 * b.rope.frequencies[i]);
  EXPECT_EQ(a.rope.half_split, b.rope.half_split);
  for (std::size_t i = 0; i < a.layer.size(); ++i) EXPECT_EQ(a.layer[i].window, b.layer[i].window);
}

inline void expect_same_weights(const DecoderWeights& a, const DecoderWeights& b) {
  EXPECT_EQ(plain(a.embedding), plain(b.embedding));
  EXPECT_EQ(plain(a.head), plain(b.head));
  EXPECT_EQ(plain(a.positions), plain(b.positions));
  EXPECT_EQ(a.final_norm.weight, b.final_norm.weight);
  EXPECT_EQ(a.final_norm.bias, b.final_norm.bias);
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    const auto &x = a.layers[i], &y = b.layers[i];
    for (const auto part : {&LayerWeights::q, &LayerWeights::k, &LayerWeights::v, &LayerWeights::o,
                            &LayerWeights::gate, &LayerWeights::up, &LayerWeights::down})
      EXPECT_EQ(plain(x.*part), plain(y.*part)) << i;
    for (const auto part : {&LayerWeights::q_norm, &LayerWeights::k_norm, &LayerWeights::q_bias,
                            &LayerWeights::k_bias, &LayerWeights::v_bias, &LayerWeights::o_bias,
                            &LayerWeights::up_bias, &LayerWeights::down_bias})
      EXPECT_EQ(x.*part, y.*part) << i;
    EXPECT_EQ(x.attention_norm.weight, y.attention_norm.weight);
    EXPECT_EQ(x.ffn_norm.weight, y.ffn_norm.weight);
    EXPECT_EQ(x.ffn_norm.bias, y.ffn_norm.bias);
  }
}

inline void expect_same_tokens(const TokenizerSpec& a, const TokenizerSpec& b) {
  EXPECT_EQ(a.end_of_generation, b.end_of_generation);
  const auto one = make_tokenizer(a), other = make_tokenizer(b);
  ASSERT_TRUE(one.ok() && other.ok()) << one.status() << other.status();
  for (const std::string text : {"The cat  sat on 42 mats!\n", "na\xC3\xAFve <s> don't", ""}) {
    const auto ids = (*one)->encode(text, {.add_special = true, .parse_special = true});
    EXPECT_EQ(ids, (*other)->encode(text, {.add_special = true, .parse_special = true})) << text;
    EXPECT_EQ((*one)->decode(*ids), (*other)->decode(*ids));
  }
}

}  // namespace plinth::model
