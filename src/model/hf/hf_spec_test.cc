#include "model/hf/hf_spec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace plinth::model {
namespace {

namespace json = base::json;

json::object config(std::string_view type = "llama") {
  return {{"model_type", json::string_view(type.data(), type.size())},
          {"num_hidden_layers", 4},
          {"hidden_size", 32},
          {"intermediate_size", 64},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-5},
          {"vocab_size", 96}};
}

std::vector<std::int32_t> windows(const DecoderSpec& spec) {
  std::vector<std::int32_t> out;
  for (const auto& layer : spec.layer) out.push_back(layer.window);
  return out;
}

TEST(HfSpec, ReadsTheCommonParts) {
  const auto spec = hf_decoder_spec(config());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->architecture, "llama");
  EXPECT_EQ(spec->head_width, 8);
  EXPECT_EQ(spec->rope.dimensions, 8);
  EXPECT_TRUE(spec->rope.half_split);
  EXPECT_FLOAT_EQ(spec->attention_scale, 1 / std::sqrt(8.0f));
  EXPECT_EQ(windows(*spec), (std::vector<std::int32_t>{0, 0, 0, 0}));
}

TEST(HfSpec, WindowsFollowEachClass) {
  const std::vector<std::int32_t> none(4, 0), all(4, 20);
  auto mistral = config("mistral");
  mistral["sliding_window"] = 20;
  EXPECT_EQ(windows(*hf_decoder_spec(mistral)), all);
  mistral["sliding_window"] = nullptr;
  EXPECT_EQ(windows(*hf_decoder_spec(mistral)), none);
  auto qwen = config("qwen2");
  qwen["sliding_window"] = 20;
  qwen["max_window_layers"] = 3;
  EXPECT_EQ(windows(*hf_decoder_spec(qwen)), none);
  qwen["use_sliding_window"] = true;
  EXPECT_EQ(windows(*hf_decoder_spec(qwen)), (std::vector<std::int32_t>{0, 0, 0, 20}));
  qwen["layer_types"] = {"sliding_attention", "full_attention", "full_attention", "full_attention"};
  EXPECT_EQ(windows(*hf_decoder_spec(qwen)), (std::vector<std::int32_t>{20, 0, 0, 0}));
  auto gemma2 = config("gemma2");
  EXPECT_EQ(windows(*hf_decoder_spec(gemma2)), (std::vector<std::int32_t>{4096, 0, 4096, 0}));
  auto gemma3 = config("gemma3_text");
  gemma3["sliding_window"] = 20;
  gemma3["sliding_window_pattern"] = 3;
  const auto spec = *hf_decoder_spec(gemma3);
  EXPECT_EQ(windows(spec), (std::vector<std::int32_t>{20, 20, 0, 20}));
  EXPECT_EQ(spec.layer[1].rope, LayerRope::local);
  EXPECT_EQ(spec.layer[2].rope, LayerRope::global);
}

// What a released Gemma 3 says of its language model: the rest is the class's.
TEST(HfSpec, FillsInWhatAShortConfigLeavesToItsClass) {
  const json::object whole = {{"model_type", "gemma3"},
                              {"text_config",
                               {{"model_type", "gemma3_text"},
                                {"hidden_size", 2560},
                                {"intermediate_size", 10240},
                                {"num_hidden_layers", 34},
                                {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}},
                                {"sliding_window", 1024}}}};
  const auto spec = hf_decoder_spec(whole);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->heads, 8);
  EXPECT_EQ(spec->kv_heads, 4);
  EXPECT_EQ(spec->head_width, 256);
  EXPECT_EQ(spec->vocab, 262208);
  EXPECT_EQ(spec->context, 131072);
  EXPECT_EQ(spec->attention_softcap, 0);
  EXPECT_DOUBLE_EQ(spec->rope.frequencies[0], 1.0 / 8);
  EXPECT_DOUBLE_EQ(spec->local_rope.frequencies[0], 1);
  EXPECT_NEAR(spec->local_rope.frequencies[1], std::pow(10000.0, -2.0 / 256), 1e-12);
  EXPECT_FLOAT_EQ(spec->embedding_scale, std::sqrt(2560.0f));
}

TEST(HfSpec, NamesTheFieldThatIsWrong) {
  const auto set = [](const char* key, json::value value) {
    return [=](json::object& c) { c[key] = value; };
  };
  const struct {
    std::function<void(json::object&)> spoil;
    const char* named;
  } cases[] = {
      {set("model_type", "mamba2"), "config.json: model_type mamba2 is not supported"},
      {[](json::object& c) { c.erase("model_type"); }, "model_type is missing"},
      {set("model_type", 3), "model_type is 3, not a string"},
      {[](json::object& c) { c.erase("hidden_size"); }, "hidden_size is missing"},
      {set("hidden_size", 0), "hidden_size is 0"},
      {set("hidden_size", -32), "hidden_size is -32"},
      {set("hidden_size", 32.5), "hidden_size is 32.5"},
      {set("hidden_size", "32"), "hidden_size is \"32\""},
      {set("hidden_size", 1ll << 40), "hidden_size is 1099511627776"},
      {set("num_hidden_layers", 1 << 20), "num_hidden_layers is 1048576"},
      {set("num_attention_heads", 0), "num_attention_heads is 0"},
      {set("num_attention_heads", 64), "do not fit"},
      {set("num_key_value_heads", 3), "4 heads of 8 with 3 key/value heads do not fit"},
      {set("num_key_value_heads", 8), "do not fit"},
      {set("head_dim", 1 << 20), "do not fit"},
      {set("max_position_embeddings", 1ll << 40), "max_position_embeddings is 1099511627776"},
      {set("vocab_size", 1 << 30), "vocab_size is 1073741824"},
      {set("rms_norm_eps", 0), "rms_norm_eps is 0"},
      {set("rms_norm_eps", 1e300), "rms_norm_eps is 1e+300"},
      {set("hidden_act", "relu"), "hidden_act relu is not supported"},
      {set("rope_theta", 0.5), "rope_theta is 0.5"},
      {set("partial_rotary_factor", 0.1), "rope over 0 of 8 dimensions"},
      {set("partial_rotary_factor", 2), "partial_rotary_factor is 2"},
      {set("rope_scaling", 7), "rope_scaling is 7, not an object"},
      {set("rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2}}),
       "rope scaling dynamic is not supported"},
      {set("rope_scaling", {{"rope_type", "linear"}, {"factor", 0}}), "rope_scaling.factor is 0"},
      {set("rope_parameters", {{"rope_type", "longrope"}, {"short_factor", {1, 2}}}),
       "short_factor has 2 numbers for 4 pairs"},
      {set("rope_parameters", {{"rope_type", "longrope"}, {"short_factor", {"a"}}}),
       "rope_parameters.short_factor is [\"a\"], not a list of numbers"},
      {set("quantization_config", json::object()), "quantization_config"},
  };
  for (const auto& c : cases) {
    auto spoiled = config();
    c.spoil(spoiled);
    const auto status = hf_decoder_spec(spoiled).status();
    EXPECT_FALSE(status.ok()) << c.named;
    EXPECT_NE(base::message(status).find(c.named), std::string_view::npos)
        << "expected " << c.named << ", got " << status;
  }
}

TEST(HfSpec, NamesTheOptionOfAClassThatIsNotSupported) {
  auto gpt2 = json::object{
      {"model_type", "gpt2"}, {"n_layer", 2}, {"n_embd", 32}, {"n_head", 4}, {"vocab_size", 96}};
  ASSERT_TRUE(hf_decoder_spec(gpt2).ok()) << hf_decoder_spec(gpt2).status();
  gpt2["scale_attn_by_inverse_layer_idx"] = true;
  EXPECT_NE(base::message(hf_decoder_spec(gpt2).status()).find("scale_attn_by_inverse_layer_idx"),
            std::string_view::npos);
  auto moe = config("qwen3_moe");
  moe["num_experts"] = 4;
  moe["num_experts_per_tok"] = 5;
  moe["moe_intermediate_size"] = 16;
  EXPECT_NE(base::message(hf_decoder_spec(moe).status()).find("5 of 4 experts"),
            std::string_view::npos);
  moe["num_experts_per_tok"] = 2;
  moe["mlp_only_layers"] = base::json::array{4};
  EXPECT_NE(base::message(hf_decoder_spec(moe).status()).find("mlp_only_layers is [4]"),
            std::string_view::npos);
  auto gemma = config("gemma3_text");
  gemma["layer_types"] = {"full_attention", "linear_attention", "full_attention", "full_attention"};
  EXPECT_NE(base::message(hf_decoder_spec(gemma).status()).find("layer_types[1]"),
            std::string_view::npos);
  gemma["layer_types"] = base::json::array{"full_attention"};
  EXPECT_NE(base::message(hf_decoder_spec(gemma).status()).find("layer_types is [\"full"),
            std::string_view::npos);
}

}  // namespace
}  // namespace plinth::model
