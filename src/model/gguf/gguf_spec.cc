// The decoder description from GGUF metadata, with the conventions of llama.cpp's converters:
// Llama's q and k are permuted for neighbouring rope pairs, Gemma's norms already hold 1 + w, and
// choices that a converter leaves out are made by the architecture's name.
#include <fmt/format.h>

#include <cmath>

#include "model/decoder/architecture.h"
#include "model/decoder/bind_weights.h"
#include "model/decoder/rope_scaling.h"
#include "model/gguf/gguf_decoder.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

// The keys of one architecture: "llama." and a name.
class Fields {
 public:
  Fields(const Gguf& gguf, std::string architecture)
      : gguf_(gguf), prefix_(std::move(architecture) + ".") {}

  bool has(const char* name) const { return gguf_.metadata.contains(prefix_ + name); }

  absl::StatusOr<std::int32_t> count(const char* name, std::int64_t max) const {
    ASSIGN_OR_RETURN(const auto value, gguf_.integer(prefix_ + name));
    if (value < 1 || value > max) {
      return gguf_.fail(prefix_ + name, fmt::format("is {}, not in 1..{}", value, max));
    }
    return static_cast<std::int32_t>(value);
  }
  absl::StatusOr<std::int32_t> count_or(const char* name, std::int64_t max,
                                        std::int32_t otherwise) const {
    return has(name) ? count(name, max) : otherwise;
  }
  // In (min, max].
  absl::StatusOr<double> number(const char* name, double min, double max) const {
    ASSIGN_OR_RETURN(const double value, gguf_.number(prefix_ + name));
    if (!(value > min && value <= max)) {
      return gguf_.fail(prefix_ + name, fmt::format("is {}, not in ({}, {}]", value, min, max));
    }
    return value;
  }
  absl::StatusOr<double> number_or(const char* name, double min, double max,
                                   double otherwise) const {
    return has(name) ? number(name, min, max) : otherwise;
  }
  absl::StatusOr<std::string> text_or(const char* name, std::string otherwise) const {
    if (!has(name)) return otherwise;
    ASSIGN_OR_RETURN(const auto value, gguf_.text(prefix_ + name));
    return std::string(value);
  }

 private:
  const Gguf& gguf_;
  const std::string prefix_;
};

constexpr double kNumberMax = 1e30;  // of fp32, with room for products

// One number for each rope pair, kept as a tensor.
absl::StatusOr<std::vector<double>> pair_tensor(const Gguf& gguf, const char* name,
                                                const RopeSpec& rope) {
  const auto found = gguf.tensors.find(name);
  if (found == gguf.tensors.end()) return std::vector<double>();
  const auto& tensor = found->second;
  const std::int64_t pairs = rope.dimensions / 2;
  if (tensor.dtype != tensor::DType::f32 || tensor.dims != std::vector<std::int64_t>{pairs}) {
    return base::invalid_argument(
        fmt::format("[gguf] tensor {} is not {} f32 numbers", name, pairs));
  }
  std::vector<float> values(static_cast<std::size_t>(pairs));
  tensor::dequantize_row(tensor.dtype, tensor.data, values.data(), pairs);
  return std::vector<double>(values.begin(), values.end());
}

absl::Status read_scaling(const Gguf& gguf, const Fields& fields, const RopeSpec& rope,
                          RopeScaling& scaling) {
  const bool stretched = fields.has("rope.scaling.factor");
  // As written before there was a type.
  ASSIGN_OR_RETURN(scaling.kind,
                   fields.text_or("rope.scaling.type", stretched ? "linear" : "none"));
  ASSIGN_OR_RETURN(scaling.factor, fields.number_or("rope.scaling.factor", 0, kRopeFactorMax, 1));
  ASSIGN_OR_RETURN(scaling.original_context,
                   fields.count_or("rope.scaling.original_context_length", kContextMax, 0));
  ASSIGN_OR_RETURN(scaling.beta_fast, fields.number_or("rope.scaling.yarn_beta_fast", 0,
                                                       kRopeFactorMax, scaling.beta_fast));
  ASSIGN_OR_RETURN(scaling.beta_slow, fields.number_or("rope.scaling.yarn_beta_slow", 0,
                                                       kRopeFactorMax, scaling.beta_slow));
  ASSIGN_OR_RETURN(scaling.attention_factor,
                   fields.number_or("rope.scaling.attn_factor", 0, kRopeFactorMax, 0));
  // With YaRN it multiplies the paper's factor.
  if (scaling.kind == "yarn" && scaling.attention_factor > 0) {
    scaling.attention_factor *= 1 + 0.1 * std::log(std::max(scaling.factor, 1.0));
  }
  ASSIGN_OR_RETURN(scaling.short_factors, pair_tensor(gguf, "rope_factors_short.weight", rope));
  ASSIGN_OR_RETURN(scaling.long_factors, pair_tensor(gguf, "rope_factors_long.weight", rope));
  if (!scaling.short_factors.empty() || !scaling.long_factors.empty()) {
    scaling.kind = "longrope";
  }
  return absl::OkStatus();
}

absl::Status read_rope(const Gguf& gguf, const Fields& fields, DecoderSpec& spec) {
  if (spec.learned_positions) return absl::OkStatus();
  auto& rope = spec.rope;
  ASSIGN_OR_RETURN(rope.dimensions,
                   fields.count_or("rope.dimension_count", kWidthMax, spec.head_width));
  if (rope.dimensions % 2 != 0 || rope.dimensions > spec.head_width) {
    return gguf.fail(spec.architecture + ".rope.dimension_count",
                     fmt::format("is {} for heads of {}", rope.dimensions, spec.head_width));
  }
  rope.half_split = spec.architecture != "llama" && spec.architecture != "smollm3";
  ASSIGN_OR_RETURN(const double theta, fields.number_or("rope.freq_base", 1, kNumberMax, 10000));
  RopeScaling scaling;
  RETURN_IF_ERROR(read_scaling(gguf, fields, rope, scaling));
  ASSIGN_OR_RETURN(const auto divisors, pair_tensor(gguf, "rope_freqs.weight", rope));
  RETURN_IF_ERROR(
      base::annotate(set_rope_frequencies(theta, scaling, divisors, spec.context, rope), "[gguf]"));
  if (spec.architecture != "gemma3") return absl::OkStatus();
  spec.local_rope.dimensions = rope.dimensions;
  spec.local_rope.half_split = rope.half_split;
  ASSIGN_OR_RETURN(const double local,
                   fields.number_or("rope.freq_base_swa", 1, kNumberMax, 10000));
  return set_rope_frequencies(local, {}, {}, spec.context, spec.local_rope);
}

absl::Status read_windows(const Gguf& gguf, const Fields& fields, DecoderSpec& spec) {
  constexpr char kPattern[] = "attention.sliding_window_pattern";
  const bool gemma2 = spec.architecture == "gemma2", gemma3 = spec.architecture == "gemma3";
  if (!gemma2 && !fields.has("attention.sliding_window")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto window, fields.count_or("attention.sliding_window", INT32_MAX, 4096));
  // A period, or for each layer whether it has the window.
  const std::string key = spec.architecture + "." + kPattern;
  const auto flags = gguf.array<std::int64_t>(key);
  if (!flags.ok()) {
    ASSIGN_OR_RETURN(const auto period, fields.count_or(kPattern, kLayersMax,
                                                        gemma2   ? 2
                                                        : gemma3 ? 6
                                                                 : 1));
    set_windows(window, period, spec);
    return absl::OkStatus();
  }
  if ((*flags)->size() != spec.layer.size()) {
    return gguf.fail(key,
                     fmt::format("has {} entries for {} layers", (*flags)->size(), spec.layers));
  }
  set_windows(window, 1, spec);
  for (std::size_t i = 0; i < spec.layer.size(); ++i) {
    if ((**flags)[i] != 0) continue;
    spec.layer[i].window = 0;
    if (gemma3) spec.layer[i].rope = LayerRope::global;
  }
  return absl::OkStatus();
}

absl::Status read_experts(const Gguf& gguf, const Fields& fields, DecoderSpec& spec) {
  const bool always = spec.architecture == "qwen3moe";
  // Mixtral is a llama with experts; the key is 0 in some dense files.
  const auto stated = gguf.integer(spec.architecture + ".expert_count");
  if (!always && (spec.architecture != "llama" || !stated.ok() || *stated == 0)) {
    return absl::OkStatus();
  }
  auto& experts = spec.experts;
  ASSIGN_OR_RETURN(experts.count, fields.count("expert_count", kExpertsMax));
  ASSIGN_OR_RETURN(experts.used, fields.count("expert_used_count", kExpertsMax));
  ASSIGN_OR_RETURN(experts.ff_width, always ? fields.count("expert_feed_forward_length", kWidthMax)
                                            : fields.count_or("expert_feed_forward_length",
                                                              kWidthMax, spec.ff_width));
  experts.normalize = true;
  return absl::OkStatus();
}

absl::Status read_numerics(const Fields& fields, DecoderSpec& spec) {
  ASSIGN_OR_RETURN(const double epsilon,
                   fields.number(spec.norm == NormKind::rms ? "attention.layer_norm_rms_epsilon"
                                                            : "attention.layer_norm_epsilon",
                                 0, 1));
  spec.norm_epsilon = static_cast<float>(epsilon);
  // The largest of each family divide by the width for each head instead of the head's own.
  const bool gemma_27b = (spec.architecture == "gemma2" && spec.layers == 46) ||
                         (spec.architecture == "gemma3" && spec.layers == 62);
  if (gemma_27b) {
    spec.attention_scale =
        1.0f / std::sqrt(static_cast<float>(spec.width) / static_cast<float>(spec.heads));
  }
  ASSIGN_OR_RETURN(const double scale,
                   fields.number_or("attention.scale", 0, kNumberMax, spec.attention_scale));
  spec.attention_scale = static_cast<float>(scale);
  const bool capped = spec.architecture == "gemma2";
  ASSIGN_OR_RETURN(const double softcap,
                   fields.number_or("attn_logit_softcapping", 0, kNumberMax, capped ? 50 : 0));
  ASSIGN_OR_RETURN(const double final_softcap,
                   fields.number_or("final_logit_softcapping", 0, kNumberMax, capped ? 30 : 0));
  spec.attention_softcap = static_cast<float>(softcap);
  spec.final_softcap = static_cast<float>(final_softcap);
  return absl::OkStatus();
}

}  // namespace

TensorNames gguf_tensor_names(const DecoderSpec& spec) {
  TensorNames names;
  names.embedding = "token_embd";
  names.positions = "position_embd";
  names.head = "output";
  names.final_norm = "output_norm";
  names.layer_prefix = "blk.";
  names.attention_norm = "attn_norm";
  names.attention_post_norm = "post_attention_norm";
  names.ffn_norm = "ffn_norm";
  names.ffn_post_norm = "post_ffw_norm";
  names.q = "attn_q";
  names.k = "attn_k";
  names.v = "attn_v";
  names.o = "attn_output";
  names.q_norm = "attn_q_norm";
  names.k_norm = "attn_k_norm";
  names.gate = "ffn_gate";
  names.up = "ffn_up";
  names.down = "ffn_down";
  names.router = "ffn_gate_inp";
  names.expert_gate = "ffn_gate_exps";
  names.expert_up = "ffn_up_exps";
  names.expert_down = "ffn_down_exps";
  names.experts_stacked = true;
  if (spec.architecture == "phi3" || spec.architecture == "gpt2") names.qkv = "attn_qkv";
  if (spec.architecture == "phi3") names.gate_up = "ffn_up";
  return names;
}

absl::StatusOr<DecoderSpec> decoder_spec_of(const Gguf& gguf) {
  ASSIGN_OR_RETURN(const auto architecture, gguf.text("general.architecture"));
  auto described = describe_architecture(architecture);
  if (!described.ok()) return base::annotate(described.status(), "[gguf] general.architecture");
  DecoderSpec spec = *std::move(described);
  const Fields fields(gguf, spec.architecture);
  ASSIGN_OR_RETURN(spec.layers, fields.count("block_count", kLayersMax));
  ASSIGN_OR_RETURN(spec.width, fields.count("embedding_length", kWidthMax));
  ASSIGN_OR_RETURN(spec.context, fields.count("context_length", kContextMax));
  ASSIGN_OR_RETURN(spec.heads, fields.count("attention.head_count", kWidthMax));
  ASSIGN_OR_RETURN(spec.kv_heads,
                   fields.count_or("attention.head_count_kv", kWidthMax, spec.heads));
  ASSIGN_OR_RETURN(spec.head_width,
                   fields.count_or("attention.key_length", kWidthMax, spec.width / spec.heads));
  ASSIGN_OR_RETURN(const auto value_width,
                   fields.count_or("attention.value_length", kWidthMax, spec.head_width));
  if (value_width != spec.head_width) {
    return base::unimplemented(
        fmt::format("[gguf] {}.attention.value_length is {} with keys of {}; they must be equal",
                    spec.architecture, value_width, spec.head_width));
  }
  if (spec.architecture != "qwen3moe" || fields.has("feed_forward_length")) {
    ASSIGN_OR_RETURN(spec.ff_width, fields.count("feed_forward_length", kWidthMax));
  }
  RETURN_IF_ERROR(read_experts(gguf, fields, spec));
  RETURN_IF_ERROR(base::annotate(finish_widths(spec), "[gguf]"));
  RETURN_IF_ERROR(read_numerics(fields, spec));
  RETURN_IF_ERROR(read_windows(gguf, fields, spec));
  const auto embedding = gguf.tensors.find("token_embd.weight");
  if (embedding == gguf.tensors.end() || embedding->second.dims.size() != 2 ||
      embedding->second.dims[1] > kVocabMax) {
    return base::invalid_argument("[gguf] tensor token_embd.weight is missing or misshapen");
  }
  spec.vocab = static_cast<std::int32_t>(embedding->second.dims[1]);
  RETURN_IF_ERROR(read_rope(gguf, fields, spec));
  return spec;
}

absl::StatusOr<DecoderWeights> decoder_weights_of(const Gguf& gguf, const DecoderSpec& spec) {
  std::map<std::string, StoredTensor, std::less<>> tensors;
  for (const auto& [name, tensor] : gguf.tensors) {
    tensors.emplace(
        name, StoredTensor{tensor.dtype, {tensor.dims.rbegin(), tensor.dims.rend()}, tensor.data});
  }
  TensorTable table(std::move(tensors));
  for (const char* name :
       {"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"}) {
    table.ignore(name);
  }
  auto weights = bind_weights(spec, gguf_tensor_names(spec), table);
  if (!weights.ok()) return base::annotate(weights.status(), "[gguf]");
  RETURN_IF_ERROR(base::annotate(table.check_all_used(spec.architecture), "[gguf]"));
  return weights;
}

}  // namespace plinth::model
