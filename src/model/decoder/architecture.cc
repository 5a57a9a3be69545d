#include "model/decoder/architecture.h"

#include <fmt/format.h>

#include <cmath>

#include "model/limits.h"

namespace plinth::model {

namespace {

bool is_gemma(std::string_view name) { return name == "gemma2" || name == "gemma3"; }

}  // namespace

absl::StatusOr<DecoderSpec> describe_architecture(std::string_view name) {
  static constexpr std::string_view kKnown[] = {"llama",  "smollm3", "qwen2", "qwen3", "qwen3moe",
                                                "gemma2", "gemma3",  "phi3",  "gpt2"};
  bool known = false;
  for (const auto other : kKnown) known = known || other == name;
  if (!known) {
    return base::unimplemented(
        fmt::format("architecture {} is not supported ({} are)", name, fmt::join(kKnown, ", ")));
  }
  DecoderSpec spec;
  spec.architecture = std::string(name);
  spec.qk_norm = name == "qwen3" || name == "qwen3moe" || name == "gemma3";
  if (is_gemma(name)) {
    spec.post_norms = true;
    spec.activation = Activation::gelu_tanh;
  }
  if (name == "gpt2") {
    spec.norm = NormKind::layer;
    spec.activation = Activation::gelu_tanh;
    spec.gated = false;
    spec.learned_positions = true;
  }
  return spec;
}

absl::Status finish_widths(DecoderSpec& spec) {
  if (spec.heads < 1 || spec.kv_heads < 1 || spec.head_width < 1 ||
      spec.heads % spec.kv_heads != 0 || std::int64_t{spec.heads} * spec.head_width > kWidthMax) {
    return base::invalid_argument(
        fmt::format("{}: {} heads of {} with {} key/value heads do not fit", spec.architecture,
                    spec.heads, spec.head_width, spec.kv_heads));
  }
  if (spec.experts.count > 0 && spec.experts.used > spec.experts.count) {
    return base::invalid_argument(fmt::format("{}: {} of {} experts are to be used",
                                              spec.architecture, spec.experts.used,
                                              spec.experts.count));
  }
  spec.attention_scale = 1.0f / std::sqrt(static_cast<float>(spec.head_width));
  if (is_gemma(spec.architecture)) {
    spec.embedding_scale = std::sqrt(static_cast<float>(spec.width));
  }
  LayerSpec layer;
  layer.experts = spec.experts.count > 0;
  if (spec.learned_positions) layer.rope = LayerRope::none;
  spec.layer.assign(static_cast<std::size_t>(spec.layers), layer);
  // SmolLM3 leaves every fourth layer without positions; a file may list others.
  if (spec.architecture == "smollm3") {
    for (std::size_t i = 3; i < spec.layer.size(); i += 4) spec.layer[i].rope = LayerRope::none;
  }
  return absl::OkStatus();
}

void set_windows(std::int32_t window, std::int32_t period, DecoderSpec& spec) {
  for (std::int32_t i = 0; i < spec.layers; ++i) {
    auto& layer = spec.layer[static_cast<std::size_t>(i)];
    layer.window = period > 1 && i % period == period - 1 ? 0 : window;
    if (spec.architecture == "gemma3" && layer.window > 0) layer.rope = LayerRope::local;
  }
}

}  // namespace plinth::model
