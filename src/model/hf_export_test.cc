#include "model/hf_export.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "model/decoder/rope_scaling.h"
#include "model/hf/hf_config_writer.h"

namespace plinth::model {
namespace {

// Golden folders and GGUF files of one model each (tests/golden/architecture).
const std::string kGolden = std::string(PLINTH_SOURCE_DIR) + "/tests/golden/architecture/";

std::vector<float> plain(const tensor::MatrixView& matrix) {
  std::vector<float> out(static_cast<std::size_t>(matrix.rows * matrix.columns));
  const auto bytes = tensor::row_bytes(matrix.dtype, matrix.columns);
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    tensor::dequantize_row(matrix.dtype, matrix.data + static_cast<std::size_t>(r) * bytes,
                           out.data() + r * matrix.columns, matrix.columns);
  }
  return out;
}

void expect_same_spec(const DecoderSpec& a, const DecoderSpec& b) {
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

void expect_same_weights(const DecoderWeights& a, const DecoderWeights& b) {
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

void expect_same_tokens(const TokenizerSpec& a, const TokenizerSpec& b) {
  EXPECT_EQ(a.end_of_generation, b.end_of_generation);
  const auto one = make_tokenizer(a), other = make_tokenizer(b);
  ASSERT_TRUE(one.ok() && other.ok()) << one.status() << other.status();
  for (const std::string text : {"The cat  sat on 42 mats!\n", "na\xC3\xAFve <s> don't", ""}) {
    const auto ids = (*one)->encode(text, {.add_special = true, .parse_special = true});
    EXPECT_EQ(ids, (*other)->encode(text, {.add_special = true, .parse_special = true})) << text;
    EXPECT_EQ((*one)->decode(*ids), (*other)->decode(*ids));
  }
}

class HfExportOf : public ::testing::TestWithParam<const char*> {
 protected:
  ~HfExportOf() override { std::filesystem::remove_all(folder_); }
  const std::string folder_ = ::testing::TempDir() + "/plinth_hf_export_" + GetParam();
};

class HfExportOfFolder : public HfExportOf {};

TEST_P(HfExportOf, WritesAGgufFileAsTheFolderItWasMadeFrom) {
  const auto file = open_model(kGolden + GetParam() + "/model.gguf");
  const auto expected = open_model(kGolden + GetParam());
  ASSERT_TRUE(file.ok() && expected.ok()) << file.status() << expected.status();
  const auto status = write_hf_folder(**file, (*file)->weights, tensor::DType::f32, folder_);
  ASSERT_TRUE(status.ok()) << status;
  const auto written = open_model(folder_);
  ASSERT_TRUE(written.ok()) << written.status();
  expect_same_spec((*written)->spec, (*expected)->spec);
  expect_same_weights((*written)->weights, (*expected)->weights);
  expect_same_tokens((*written)->tokenizer, (*file)->tokenizer);
}

TEST_P(HfExportOfFolder, WritesItAsItIs) {
  const auto file = open_model(kGolden + GetParam());
  ASSERT_TRUE(file.ok()) << file.status();
  const auto status = write_hf_folder(**file, (*file)->weights, tensor::DType::bf16, folder_);
  ASSERT_TRUE(status.ok()) << status;
  const auto written = open_model(folder_);
  ASSERT_TRUE(written.ok()) << written.status();
  expect_same_spec((*written)->spec, (*file)->spec);
  expect_same_weights((*written)->weights, (*file)->weights);
  expect_same_tokens((*written)->tokenizer, (*file)->tokenizer);
  EXPECT_EQ((*written)->chat_template, (*file)->chat_template);
}

std::string name_of(const ::testing::TestParamInfo<const char*>& golden) { return golden.param; }

INSTANTIATE_TEST_SUITE_P(Golden, HfExportOf,
                         ::testing::Values("llama", "llama_linear", "qwen2", "qwen3", "gpt2"),
                         name_of);
// With what GGUF cannot say, or has no golden file of.
INSTANTIATE_TEST_SUITE_P(Golden, HfExportOfFolder,
                         ::testing::Values("llama", "llama_linear", "llama_llama3", "mistral",
                                           "qwen2", "qwen3", "gpt2"),
                         name_of);

// As GGUF has it: divisors, which are those of the releases or cannot be told.
TEST(HfExport, FindsLlama3sScalingInItsDivisors) {
  const auto file = open_model(kGolden + "llama");
  ASSERT_TRUE(file.ok()) << file.status();
  for (const double factor : {32.0, 7.0}) {
    auto spec = (*file)->spec;
    RopeScaling llama3;
    llama3.kind = "llama3";
    llama3.factor = factor;
    llama3.original_context = 8192;
    ASSERT_TRUE(set_rope_frequencies(5e5, llama3, {}, spec.context, spec.rope).ok());
    spec.rope.scaling = {};
    const auto config = hf_config(spec, (*file)->weights, (*file)->tokenizer, tensor::DType::bf16);
    if (factor == 7) {
      EXPECT_TRUE(absl::IsUnimplemented(config.status())) << config.status();
      continue;
    }
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->at("rope_theta"), 5e5);
    EXPECT_EQ(config->at("rope_scaling").at("factor"), factor);
  }
}

TEST(HfExport, NamesWhatItCannotWrite) {
  for (const char* golden : {"gemma2", "mixtral", "phi3", "qwen2_window"}) {
    const auto file = open_model(kGolden + golden);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto folder = ::testing::TempDir() + "/plinth_hf_export_none";
    const auto status = write_hf_folder(**file, (*file)->weights, tensor::DType::f32, folder);
    EXPECT_TRUE(absl::IsUnimplemented(status)) << golden << status;
    EXPECT_NE(base::message(status).find((*file)->spec.architecture), std::string::npos) << status;
    EXPECT_FALSE(std::filesystem::exists(folder));
  }
}

}  // namespace
}  // namespace plinth::model
