#include "model/hf/hf_spec.h"

#include <fmt/format.h>

#include <cmath>

#include "model/decoder/architecture.h"
#include "model/decoder/rope_scaling.h"
#include "model/hf/hf_fields.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

namespace json = base::json;

constexpr double kNumberMax = 1e30;  // of fp32, with room for products
constexpr char kPath[] = "config.json: ";

struct KnownType {
  std::string_view model_type, architecture;
};
constexpr KnownType kTypes[] = {
    {"llama", "llama"},        {"mistral", "llama"}, {"mixtral", "llama"},
    {"smollm3", "smollm3"},    {"qwen2", "qwen2"},   {"qwen3", "qwen3"},
    {"qwen3_moe", "qwen3moe"}, {"gemma2", "gemma2"}, {"gemma3_text", "gemma3"},
    {"gemma3", "gemma3"},      {"phi3", "phi3"},     {"gpt2", "gpt2"},
};

// The numbers that a short config.json leaves to its class.
struct Defaults {
  std::int32_t heads = 0, kv_heads = 0, head_width = 0, vocab = 0, context = 0;
  double epsilon = 1e-6;
};
Defaults defaults_of(const std::string& architecture) {
  if (architecture == "gemma3") return {8, 4, 256, 262208, 131072, 1e-6};
  if (architecture == "gemma2") return {8, 4, 256, 256000, 8192, 1e-6};
  if (architecture == "gpt2") return {12, 0, 0, 50257, 1024, 1e-5};
  if (architecture == "phi3") return {32, 0, 0, 32064, 4096, 1e-5};
  return {};
}

const json::object& language_model(const json::object& config) {
  const auto* text = config.if_contains("text_config");
  return text != nullptr && text->is_object() ? text->as_object() : config;
}

absl::StatusOr<std::int32_t> required(const HfFields& fields, std::string_view name,
                                      std::int64_t max, std::int32_t otherwise) {
  return otherwise > 0 ? fields.count_or(name, max, otherwise) : fields.count(name, max);
}

absl::Status read_widths(const HfFields& fields, DecoderSpec& spec) {
  const bool gpt2 = spec.architecture == "gpt2";
  const auto defaults = defaults_of(spec.architecture);
  ASSIGN_OR_RETURN(spec.layers, fields.count(gpt2 ? "n_layer" : "num_hidden_layers", kLayersMax));
  ASSIGN_OR_RETURN(spec.width, fields.count(gpt2 ? "n_embd" : "hidden_size", kWidthMax));
  ASSIGN_OR_RETURN(spec.vocab, required(fields, "vocab_size", kVocabMax, defaults.vocab));
  ASSIGN_OR_RETURN(spec.context, required(fields, gpt2 ? "n_positions" : "max_position_embeddings",
                                          kContextMax, defaults.context));
  ASSIGN_OR_RETURN(spec.heads, required(fields, gpt2 ? "n_head" : "num_attention_heads", kWidthMax,
                                        defaults.heads));
  ASSIGN_OR_RETURN(spec.kv_heads,
                   fields.count_or("num_key_value_heads", kWidthMax,
                                   defaults.kv_heads > 0 ? defaults.kv_heads : spec.heads));
  ASSIGN_OR_RETURN(
      spec.head_width,
      fields.count_or("head_dim", kWidthMax,
                      defaults.head_width > 0 ? defaults.head_width : spec.width / spec.heads));
  if (gpt2) {
    ASSIGN_OR_RETURN(spec.ff_width, fields.count_or("n_inner", kWidthMax, 4 * spec.width));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(spec.ff_width, fields.count("intermediate_size", kWidthMax));
  return absl::OkStatus();
}

absl::Status read_activation(const HfFields& fields, DecoderSpec& spec) {
  const char* name = spec.architecture == "gpt2"              ? "activation_function"
                     : spec.architecture.starts_with("gemma") ? "hidden_activation"
                                                              : "hidden_act";
  const char* usual = spec.architecture == "gpt2"              ? "gelu_new"
                      : spec.architecture.starts_with("gemma") ? "gelu_pytorch_tanh"
                                                               : "silu";
  ASSIGN_OR_RETURN(const std::string value, fields.text_or(name, usual));
  if ((value == "silu" || value == "swish") && spec.gated) {
    spec.activation = Activation::silu;
  } else if (value == "gelu_new" || value == "gelu_pytorch_tanh") {
    spec.activation = Activation::gelu_tanh;
  } else if (value == "gelu") {
    spec.activation = Activation::gelu_erf;
  } else {
    return base::unimplemented(fmt::format("{} {} is not supported", fields.path_of(name), value));
  }
  return absl::OkStatus();
}

absl::Status read_numerics(const HfFields& fields, DecoderSpec& spec) {
  const char* epsilon_name = spec.norm == NormKind::layer ? "layer_norm_epsilon" : "rms_norm_eps";
  ASSIGN_OR_RETURN(const double epsilon,
                   fields.number_or(epsilon_name, 0, 1, defaults_of(spec.architecture).epsilon));
  spec.norm_epsilon = static_cast<float>(epsilon);
  RETURN_IF_ERROR(read_activation(fields, spec));
  // Of GPT-2's family: switches that other models of the class turn.
  ASSIGN_OR_RETURN(const bool scaled, fields.flag_or("scale_attn_weights", true));
  ASSIGN_OR_RETURN(const bool by_layer, fields.flag_or("scale_attn_by_inverse_layer_idx", false));
  if (!scaled || by_layer) {
    return base::unimplemented(fmt::format(
        "{} is not supported", fields.path_of(scaled ? "scale_attn_by_inverse_layer_idx true"
                                                     : "scale_attn_weights false")));
  }
  if (!spec.architecture.starts_with("gemma")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const double scalar,
                   fields.number_or("query_pre_attn_scalar", 0, kNumberMax, 256));
  spec.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  // A null in Gemma 2's config turns a cap off; a missing key leaves the class's number.
  const bool gemma2 = spec.architecture == "gemma2";
  const auto cap = [&](const char* name, double usual) {
    return fields.number_or(name, 0, kNumberMax, gemma2 && !fields.mentions(name) ? usual : 0);
  };
  ASSIGN_OR_RETURN(const double attention, cap("attn_logit_softcapping", 50));
  ASSIGN_OR_RETURN(const double final_cap, cap("final_logit_softcapping", 30));
  spec.attention_softcap = static_cast<float>(attention);
  spec.final_softcap = static_cast<float>(final_cap);
  ASSIGN_OR_RETURN(const bool both_ways, fields.flag_or("use_bidirectional_attention", false));
  if (both_ways) {
    return base::unimplemented(fields.path_of("use_bidirectional_attention is not supported"));
  }
  return absl::OkStatus();
}

// Which layers have a window: layer_types where the config lists them, else the class's rule.
absl::Status read_windows(const HfFields& fields, DecoderSpec& spec) {
  const std::string& a = spec.architecture;
  if (a == "gpt2" || (a == "llama" && !fields.has("sliding_window"))) return absl::OkStatus();
  const bool gemma = a.starts_with("gemma");
  ASSIGN_OR_RETURN(const bool used,
                   fields.flag_or("use_sliding_window", gemma || a == "phi3" || a == "llama"));
  if (!used || (!gemma && !fields.has("sliding_window"))) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto window, fields.count_or("sliding_window", INT32_MAX, 4096));
  const auto* types = fields.find("layer_types");
  if (types == nullptr) {
    if (a.starts_with("qwen")) {
      ASSIGN_OR_RETURN(const auto full, fields.count_or("max_window_layers", kLayersMax, 28));
      for (auto i = full; i < spec.layers; ++i) {
        spec.layer[static_cast<std::size_t>(i)].window = window;
      }
      return absl::OkStatus();
    }
    const char* pattern =
        fields.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
    ASSIGN_OR_RETURN(const auto period, fields.count_or(pattern, kLayersMax,
                                                        a == "gemma2"   ? 2
                                                        : a == "gemma3" ? 6
                                                                        : 1));
    set_windows(window, period, spec);
    return absl::OkStatus();
  }
  if (!types->is_array() || types->as_array().size() != static_cast<std::size_t>(spec.layers)) {
    return fields.wrong("layer_types", fmt::format("a list of {} layers", spec.layers));
  }
  for (std::size_t i = 0; i < spec.layer.size(); ++i) {
    const auto& type = types->as_array()[i];
    if (type == "sliding_attention") {
      spec.layer[i].window = window;
      if (a == "gemma3") spec.layer[i].rope = LayerRope::local;
    } else if (type != "full_attention") {
      return base::unimplemented(fmt::format(
          "{}[{}] {} is not supported", fields.path_of("layer_types"), i, base::to_json(type)));
    }
  }
  return absl::OkStatus();
}

absl::Status read_experts(const HfFields& fields, DecoderSpec& spec) {
  const bool mixtral = fields.has("num_local_experts") && spec.architecture == "llama";
  if (!mixtral && spec.architecture != "qwen3moe") return absl::OkStatus();
  auto& experts = spec.experts;
  ASSIGN_OR_RETURN(
      experts.count,
      fields.count(fields.has("num_experts") ? "num_experts" : "num_local_experts", kExpertsMax));
  ASSIGN_OR_RETURN(experts.used, fields.count("num_experts_per_tok", kExpertsMax));
  experts.ff_width = spec.ff_width;
  experts.normalize = true;
  if (mixtral) return absl::OkStatus();
  ASSIGN_OR_RETURN(experts.ff_width, fields.count("moe_intermediate_size", kWidthMax));
  ASSIGN_OR_RETURN(experts.normalize, fields.flag_or("norm_topk_prob", false));
  return absl::OkStatus();
}

// Layers of a model with experts that have none.
absl::Status read_dense_layers(const HfFields& fields, DecoderSpec& spec) {
  if (spec.experts.count == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto step, fields.count_or("decoder_sparse_step", kLayersMax, 1));
  for (std::int32_t i = 0; i < spec.layers; ++i) {
    spec.layer[static_cast<std::size_t>(i)].experts = (i + 1) % step == 0;
  }
  ASSIGN_OR_RETURN(const auto dense, fields.numbers_or_empty("mlp_only_layers"));
  for (const double index : dense) {
    if (!(index >= 0 && index < spec.layers)) return fields.wrong("mlp_only_layers", "layers");
    spec.layer[static_cast<std::size_t>(index)].experts = false;
  }
  return absl::OkStatus();
}

absl::Status read_positionless_layers(const HfFields& fields, DecoderSpec& spec) {
  if (spec.architecture != "smollm3") return absl::OkStatus();
  // One number for each layer: 1 = with rope.
  ASSIGN_OR_RETURN(const auto with, fields.numbers_or_empty("no_rope_layers"));
  if (!with.empty() && with.size() != spec.layer.size()) {
    return fields.wrong("no_rope_layers", fmt::format("a list of {} layers", spec.layers));
  }
  for (std::size_t i = 0; i < with.size(); ++i) {
    spec.layer[i].rope = with[i] == 0 ? LayerRope::none : LayerRope::global;
  }
  return absl::OkStatus();
}

absl::StatusOr<RopeScaling> read_scaling(const HfFields& rope, const HfFields& config,
                                         const DecoderSpec& spec) {
  RopeScaling scaling;
  ASSIGN_OR_RETURN(const std::string type, rope.text_or("type", "default"));
  ASSIGN_OR_RETURN(scaling.kind, rope.text_or("rope_type", type));
  ASSIGN_OR_RETURN(scaling.factor, rope.number_or("factor", 0, kRopeFactorMax, 1));
  constexpr char kOriginal[] = "original_max_position_embeddings";
  ASSIGN_OR_RETURN(const auto outer, config.count_or(kOriginal, kContextMax, spec.context));
  ASSIGN_OR_RETURN(scaling.original_context, rope.count_or(kOriginal, kContextMax, outer));
  ASSIGN_OR_RETURN(scaling.attention_factor,
                   rope.number_or("attention_factor", 0, kRopeFactorMax, 0));
  ASSIGN_OR_RETURN(scaling.low_frequency, rope.number_or("low_freq_factor", 0, kRopeFactorMax, 1));
  ASSIGN_OR_RETURN(scaling.high_frequency,
                   rope.number_or("high_freq_factor", 0, kRopeFactorMax, 4));
  ASSIGN_OR_RETURN(scaling.beta_fast, rope.number_or("beta_fast", 0, kRopeFactorMax, 32));
  ASSIGN_OR_RETURN(scaling.beta_slow, rope.number_or("beta_slow", 0, kRopeFactorMax, 1));
  ASSIGN_OR_RETURN(scaling.mscale, rope.number_or("mscale", 0, kRopeFactorMax, 0));
  ASSIGN_OR_RETURN(scaling.mscale_all_dim, rope.number_or("mscale_all_dim", 0, kRopeFactorMax, 0));
  ASSIGN_OR_RETURN(scaling.truncate, rope.flag_or("truncate", true));
  ASSIGN_OR_RETURN(scaling.short_factors, rope.numbers_or_empty("short_factor"));
  ASSIGN_OR_RETURN(scaling.long_factors, rope.numbers_or_empty("long_factor"));
  return scaling;
}

// `rope` holds the base and the scaling, or only the scaling with the base in the config.
absl::Status set_rope(const HfFields& rope, const HfFields& config, const DecoderSpec& spec,
                      double usual_theta, RopeSpec& out) {
  ASSIGN_OR_RETURN(const double outer, config.number_or("rope_theta", 1, kNumberMax, usual_theta));
  ASSIGN_OR_RETURN(const double theta, rope.number_or("rope_theta", 1, kNumberMax, outer));
  ASSIGN_OR_RETURN(const double outer_part, config.number_or("partial_rotary_factor", 0, 1, 1));
  ASSIGN_OR_RETURN(const double part, rope.number_or("partial_rotary_factor", 0, 1, outer_part));
  out.dimensions = static_cast<std::int32_t>(spec.head_width * part);
  out.half_split = true;
  if (out.dimensions < 2 || out.dimensions % 2 != 0) {
    return base::invalid_argument(
        fmt::format("{}: rope over {} of {} dimensions", kPath, out.dimensions, spec.head_width));
  }
  ASSIGN_OR_RETURN(const auto scaling, read_scaling(rope, config, spec));
  return base::annotate(set_rope_frequencies(theta, scaling, {}, spec.context, out), "config.json");
}

absl::Status read_rope(const HfFields& fields, DecoderSpec& spec) {
  if (spec.learned_positions) return absl::OkStatus();
  const bool gemma3 = spec.architecture == "gemma3";
  const double usual = gemma3 ? 1e6 : spec.architecture == "smollm3" ? 2e6 : 10000;
  const char* name = fields.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const auto* value = fields.find(name);
  const json::object empty;
  if (value != nullptr && !value->is_object()) return fields.wrong(name, "an object");
  const json::object& rope = value == nullptr ? empty : value->as_object();
  const std::string path = fields.path_of(name) + ".";
  if (!gemma3) return set_rope(HfFields(rope, path), fields, spec, usual, spec.rope);
  // One object for each kind of layer, or the global one's with the local base beside it.
  const auto part = [&](const char* kind) -> const json::object* {
    const auto* inner = rope.if_contains(kind);
    return inner != nullptr && inner->is_object() ? &inner->as_object() : nullptr;
  };
  const auto* global = part("full_attention");
  const auto* local = part("sliding_attention");
  RETURN_IF_ERROR(
      set_rope(HfFields(global != nullptr ? *global : rope, path), fields, spec, usual, spec.rope));
  ASSIGN_OR_RETURN(const double local_theta,
                   fields.number_or("rope_local_base_freq", 1, kNumberMax, 10000));
  json::object sliding = local != nullptr ? *local : json::object();
  if (!sliding.contains("rope_theta")) sliding["rope_theta"] = local_theta;
  return set_rope(HfFields(sliding, path + "sliding_attention."), fields, spec, local_theta,
                  spec.local_rope);
}

TensorNames gpt2_names(std::string prefix) {
  TensorNames names;
  names.embedding = prefix + "wte";
  names.positions = prefix + "wpe";
  names.head = "lm_head";
  names.final_norm = prefix + "ln_f";
  names.layer_prefix = prefix + "h.";
  names.attention_norm = "ln_1";
  names.ffn_norm = "ln_2";
  names.qkv = "attn.c_attn";
  names.o = "attn.c_proj";
  names.up = "mlp.c_fc";
  names.down = "mlp.c_proj";
  names.transposed = true;
  return names;
}

}  // namespace

absl::StatusOr<DecoderSpec> hf_decoder_spec(const json::object& config) {
  const auto& text = language_model(config);
  const HfFields fields(text, kPath);
  ASSIGN_OR_RETURN(const std::string type, fields.text_or("model_type", ""));
  std::string_view architecture;
  for (const auto& known : kTypes) {
    if (known.model_type == type) architecture = known.architecture;
  }
  if (architecture.empty()) {
    return base::unimplemented(fmt::format(
        "{}model_type {} is not supported (llama, mistral, mixtral, smollm3, qwen2, qwen3, "
        "qwen3_moe, gemma2, gemma3_text, phi3, gpt2 are)",
        kPath, type.empty() ? "is missing and so" : type));
  }
  if (text.contains("quantization_config") || config.contains("quantization_config")) {
    return base::unimplemented(
        fmt::format("{}quantization_config: quantised folders are not supported", kPath));
  }
  ASSIGN_OR_RETURN(DecoderSpec spec, describe_architecture(architecture));
  RETURN_IF_ERROR(read_widths(fields, spec));
  RETURN_IF_ERROR(read_experts(fields, spec));
  RETURN_IF_ERROR(base::annotate(finish_widths(spec), "config.json"));
  RETURN_IF_ERROR(read_dense_layers(fields, spec));
  RETURN_IF_ERROR(read_positionless_layers(fields, spec));
  RETURN_IF_ERROR(read_numerics(fields, spec));
  RETURN_IF_ERROR(read_windows(fields, spec));
  RETURN_IF_ERROR(read_rope(fields, spec));
  return spec;
}

TensorNames hf_tensor_names(const DecoderSpec& spec, const json::object& config,
                            std::string_view prefix) {
  const std::string& a = spec.architecture;
  const std::string before(prefix);
  TensorNames names;
  if (a == "gpt2") {
    names = gpt2_names(before);
  } else {
    names.embedding = before + "embed_tokens";
    names.head = "lm_head";
    names.final_norm = before + "norm";
    names.layer_prefix = before + "layers.";
    names.attention_norm = "input_layernorm";
    names.ffn_norm = "post_attention_layernorm";
    names.q = "self_attn.q_proj";
    names.k = "self_attn.k_proj";
    names.v = "self_attn.v_proj";
    names.o = "self_attn.o_proj";
    names.q_norm = "self_attn.q_norm";
    names.k_norm = "self_attn.k_norm";
    names.gate = "mlp.gate_proj";
    names.up = "mlp.up_proj";
    names.down = "mlp.down_proj";
    names.router = "mlp.gate";
    names.expert_gate = "mlp.experts.{}.gate_proj";
    names.expert_up = "mlp.experts.{}.up_proj";
    names.expert_down = "mlp.experts.{}.down_proj";
  }
  if (a == "llama" && spec.experts.count > 0) {
    names.router = "block_sparse_moe.gate";
    names.expert_gate = "block_sparse_moe.experts.{}.w1";
    names.expert_up = "block_sparse_moe.experts.{}.w3";
    names.expert_down = "block_sparse_moe.experts.{}.w2";
  }
  if (a.starts_with("gemma")) {
    names.attention_post_norm = "post_attention_layernorm";
    names.ffn_norm = "pre_feedforward_layernorm";
    names.ffn_post_norm = "post_feedforward_layernorm";
    names.norm_plus_one = true;
  }
  if (a == "phi3") {
    names.qkv = "self_attn.qkv_proj";
    names.gate_up = "mlp.gate_up_proj";
  }
  // Absent, the classes tie these and keep the others apart.
  const bool usual = a.starts_with("gemma") || a == "gpt2";
  const auto tied = HfFields(language_model(config), kPath).flag_or("tie_word_embeddings", usual);
  if (tied.ok() && *tied) names.head.clear();
  return names;
}

}  // namespace plinth::model
