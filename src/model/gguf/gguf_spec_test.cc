// What metadata alone decides; whole models are held to transformers' logits by the engine's tests.
#include <gtest/gtest.h>

#include <cmath>

#include "model/gguf/gguf_decoder.h"
#include "model/gguf/gguf_test_file.h"

namespace plinth::model {
namespace {

absl::StatusOr<DecoderSpec> spec_of(const GgufTestFile& file) {
  const std::string bytes = file.bytes();
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  const auto gguf = parse_gguf(copy);
  RETURN_IF_ERROR(gguf.status());
  return decoder_spec_of(*gguf);
}

GgufTestFile layered(const std::string& architecture, std::uint32_t layers) {
  auto file = tiny_gguf(architecture);
  return file.set(architecture + ".block_count", gguf_u32(layers));
}

std::vector<std::int32_t> windows(const DecoderSpec& spec) {
  std::vector<std::int32_t> out;
  for (const auto& layer : spec.layer) out.push_back(layer.window);
  return out;
}

TEST(GgufSpec, WindowsFollowTheArchitecture) {
  using Windows = std::vector<std::int32_t>;
  EXPECT_EQ(windows(*spec_of(layered("gemma2", 4))), (Windows{4096, 0, 4096, 0}));
  auto gemma3 = layered("gemma3", 7);
  EXPECT_EQ(windows(*spec_of(gemma3)), Windows(7, 0));
  gemma3.set("gemma3.attention.sliding_window", gguf_u32(20));
  EXPECT_EQ(windows(*spec_of(gemma3)), (Windows{20, 20, 20, 20, 20, 0, 20}));
  EXPECT_EQ(spec_of(gemma3)->layer[5].rope, LayerRope::global);
  EXPECT_EQ(spec_of(gemma3)->layer[6].rope, LayerRope::local);
  gemma3.set("gemma3.attention.sliding_window_pattern", gguf_u32(3));
  EXPECT_EQ(windows(*spec_of(gemma3)), (Windows{20, 20, 0, 20, 20, 0, 20}));
  // As booleans: layer by layer.
  gemma3.set("gemma3.attention.sliding_window_pattern",
             gguf_array(7, 7, std::string("\1\0\0\1\1\1\0", 7)));
  EXPECT_EQ(windows(*spec_of(gemma3)), (Windows{20, 0, 0, 20, 20, 20, 0}));
  EXPECT_EQ(spec_of(gemma3)->layer[1].rope, LayerRope::global);
  EXPECT_EQ(spec_of(gemma3)->layer[3].rope, LayerRope::local);
  gemma3.set("gemma3.attention.sliding_window_pattern", gguf_array(7, 2, std::string(2, '\1')));
  EXPECT_NE(base::message(spec_of(gemma3).status()).find("has 2 entries for 7 layers"),
            std::string_view::npos);
}

TEST(GgufSpec, TheLargestGemmasScaleByTheWidth) {
  EXPECT_FLOAT_EQ(spec_of(layered("gemma2", 26))->attention_scale, 1 / std::sqrt(8.0f));
  auto large = layered("gemma2", 46);
  large.set("gemma2.attention.key_length", gguf_u32(4));
  EXPECT_FLOAT_EQ(spec_of(large)->attention_scale, 1 / std::sqrt(32.0f / 4));
  EXPECT_EQ(spec_of(large)->attention_softcap, 50);
  EXPECT_EQ(spec_of(large)->final_softcap, 30);
}

TEST(GgufSpec, AScalingFactorWithoutATypeIsLinear) {
  auto file = tiny_gguf();
  file.set("llama.rope.scaling.factor", gguf_f32(4));
  EXPECT_DOUBLE_EQ(spec_of(file)->rope.frequencies[0], 0.25);
  file.set("llama.rope.scaling.type", gguf_text("none"));
  EXPECT_DOUBLE_EQ(spec_of(file)->rope.frequencies[0], 1);
}

TEST(GgufSpec, ExpertsOfZeroAreADenseModel) {
  auto file = tiny_gguf();
  file.set("llama.expert_count", gguf_u32(0));
  EXPECT_EQ(spec_of(file)->experts.count, 0);
  file.set("llama.expert_count", gguf_u32(8)).set("llama.expert_used_count", gguf_u32(2));
  const auto spec = spec_of(file);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->experts.count, 8);
  EXPECT_EQ(spec->experts.ff_width, 64);
  EXPECT_TRUE(spec->layer[0].experts);
}

}  // namespace
}  // namespace plinth::model
