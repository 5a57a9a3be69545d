#include "model/hf/hf_config_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "model/decoder/rope_scaling.h"

namespace plinth::model {

namespace {

namespace json = base::json;

struct WrittenType {
  std::string_view architecture, model_type, type;
};
constexpr WrittenType kTypes[] = {
    {"llama", "llama", "LlamaForCausalLM"},
    {"qwen2", "qwen2", "Qwen2ForCausalLM"},
    {"qwen3", "qwen3", "Qwen3ForCausalLM"},
    {"gpt2", "gpt2", "GPT2LMHeadModel"},
};

// Of Llama 3.1 and 3.2: what their releases differ in is the factor.
constexpr double kLlama3Factors[] = {8, 32};
constexpr std::int32_t kLlama3Context = 8192;

absl::Status not_written(const DecoderSpec& spec, std::string_view what) {
  return base::unimplemented(fmt::format(
      "[export] {}: {} cannot be written as a Hugging Face folder", spec.architecture, what));
}

bool gives(const RopeScaling& scaling, const DecoderSpec& spec) {
  RopeSpec made = spec.rope;
  if (!set_rope_frequencies(spec.rope.theta, scaling, {}, spec.context, made).ok()) return false;
  const auto& frequencies = spec.rope.frequencies;
  // GGUF has Llama 3's divisors in fp32.
  return std::equal(made.frequencies.begin(), made.frequencies.end(), frequencies.begin(),
                    frequencies.end(),
                    [](double x, double y) { return std::abs(x - y) <= 1e-6 * std::abs(y); });
}

// As the file has it, or Llama 3's where that has divisors.
absl::StatusOr<RopeScaling> scaling_of(const DecoderSpec& spec) {
  if (gives(spec.rope.scaling, spec)) return spec.rope.scaling;
  for (const double factor : kLlama3Factors) {
    RopeScaling llama3;
    llama3.kind = "llama3";
    llama3.factor = factor;
    llama3.original_context = kLlama3Context;
    if (gives(llama3, spec)) return llama3;
  }
  return not_written(spec, "its rope scaling");
}

absl::Status add_rope(const DecoderSpec& spec, json::object& config) {
  if (spec.rope.dimensions != spec.head_width)
    return not_written(spec, "rope over a part of a head");
  ASSIGN_OR_RETURN(const auto scaling, scaling_of(spec));
  config["rope_theta"] = spec.rope.theta;
  json::object out{{"rope_type", scaling.kind}, {"factor", scaling.factor}};
  if (scaling.kind == "default" || scaling.kind == "none") return absl::OkStatus();
  if (scaling.kind == "longrope" || scaling.kind == "su") return not_written(spec, "LongRoPE");
  if (scaling.kind != "linear") out["original_max_position_embeddings"] = scaling.original_context;
  if (scaling.kind == "llama3") {
    out["low_freq_factor"] = scaling.low_frequency;
    out["high_freq_factor"] = scaling.high_frequency;
  } else if (scaling.kind == "yarn") {
    out["beta_fast"] = scaling.beta_fast;
    out["beta_slow"] = scaling.beta_slow;
    out["truncate"] = scaling.truncate;
    if (scaling.attention_factor > 0) out["attention_factor"] = scaling.attention_factor;
    if (scaling.mscale > 0) out["mscale"] = scaling.mscale;
    if (scaling.mscale_all_dim > 0) out["mscale_all_dim"] = scaling.mscale_all_dim;
  }
  config["rope_scaling"] = out;
  return absl::OkStatus();
}

absl::Status add_windows(const DecoderSpec& spec, json::object& config) {
  const auto window = spec.layer.empty() ? 0 : spec.layer.front().window;
  for (const auto& layer : spec.layer) {
    if (layer.window != window || (window != 0 && spec.architecture != "llama"))
      return not_written(spec, "windows of some layers");
    if (layer.experts) return not_written(spec, "a mixture of experts");
  }
  if (window == 0) return absl::OkStatus();
  config["model_type"] = "mistral";
  config["architectures"] = json::array{"MistralForCausalLM"};
  config["sliding_window"] = window;
  return absl::OkStatus();
}

// The double that is written as shortly as the float.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

void add_gpt2(const DecoderSpec& spec, json::object& config) {
  config["n_layer"] = spec.layers;
  config["n_embd"] = spec.width;
  config["n_head"] = spec.heads;
  config["n_positions"] = spec.context;
  config["n_inner"] = spec.ff_width;
  config["activation_function"] = spec.activation == Activation::gelu_tanh ? "gelu_new" : "gelu";
  config["layer_norm_epsilon"] = shortest(spec.norm_epsilon);
}

absl::Status add_llama_like(const DecoderSpec& spec, const DecoderWeights& weights,
                            json::object& config) {
  if (spec.activation != Activation::silu || !spec.gated || spec.post_norms)
    return not_written(spec, "its feed-forward block");
  if (spec.attention_softcap != 0 || spec.final_softcap != 0 || spec.embedding_scale != 1 ||
      spec.logits_scale != 1)
    return not_written(spec, "a scale or a cap");
  config["num_hidden_layers"] = spec.layers;
  config["hidden_size"] = spec.width;
  config["num_attention_heads"] = spec.heads;
  config["num_key_value_heads"] = spec.kv_heads;
  config["head_dim"] = spec.head_width;
  config["intermediate_size"] = spec.ff_width;
  config["max_position_embeddings"] = spec.context;
  config["hidden_act"] = "silu";
  config["rms_norm_eps"] = shortest(spec.norm_epsilon);
  if (spec.architecture == "llama") {
    const auto& layers = weights.layers;
    config["attention_bias"] = std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
      return !layer.q_bias.empty() || !layer.o_bias.empty();
    });
    config["mlp_bias"] = std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
      return !layer.up_bias.empty() || !layer.down_bias.empty();
    });
  }
  RETURN_IF_ERROR(add_rope(spec, config));
  return add_windows(spec, config);
}

void add_tokens(const TokenizerSpec& tokenizer, json::object& config) {
  const auto& ends = tokenizer.end_of_generation;
  if (tokenizer.bos) config["bos_token_id"] = *tokenizer.bos;
  if (tokenizer.pad) config["pad_token_id"] = *tokenizer.pad;
  if (ends.size() == 1) config["eos_token_id"] = ends.front();
  if (ends.size() > 1) config["eos_token_id"] = json::array(ends.begin(), ends.end());
}

}  // namespace

absl::StatusOr<json::object> hf_config(const DecoderSpec& spec, const DecoderWeights& weights,
                                       const TokenizerSpec& tokenizer, tensor::DType dtype) {
  const auto* const found = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) {
    return t.architecture == spec.architecture;
  });
  if (found == std::end(kTypes)) return not_written(spec, "this architecture");
  json::object config{{"model_type", found->model_type},
                      {"architectures", json::array{found->type}},
                      {"vocab_size", spec.vocab},
                      {"tie_word_embeddings", weights.head.data == weights.embedding.data},
                      {"torch_dtype", dtype == tensor::DType::f32   ? "float32"
                                      : dtype == tensor::DType::f16 ? "float16"
                                                                    : "bfloat16"}};
  add_tokens(tokenizer, config);
  if (spec.architecture == "gpt2") {
    add_gpt2(spec, config);
  } else {
    RETURN_IF_ERROR(add_llama_like(spec, weights, config));
  }
  return config;
}

json::object hf_generation_config(const TokenizerSpec& tokenizer) {
  json::object config;
  add_tokens(tokenizer, config);
  return config;
}

}  // namespace plinth::model
