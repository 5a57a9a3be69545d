#include "model/gguf/gguf_decoder.h"

#include <fmt/format.h>

#include <cmath>

#include "model/limits.h"

namespace plinth::model {

namespace {

absl::StatusOr<std::int32_t> bounded(const Gguf& gguf, const std::string& key, std::int64_t max) {
  ASSIGN_OR_RETURN(const auto value, gguf.integer(key));
  if (value < 1 || value > max) {
    return base::invalid_argument(fmt::format("[gguf] {} is {}, not in 1..{}", key, value, max));
  }
  return static_cast<std::int32_t>(value);
}

absl::StatusOr<std::int32_t> bounded_or(const Gguf& gguf, const std::string& key, std::int64_t max,
                                        std::int32_t otherwise) {
  if (!gguf.metadata.contains(key)) return otherwise;
  return bounded(gguf, key, max);
}

absl::StatusOr<RopeSpec> rope_of(const Gguf& gguf, const std::string& a, const DecoderSpec& spec) {
  RopeSpec rope;
  ASSIGN_OR_RETURN(rope.dimensions,
                   bounded_or(gguf, a + ".rope.dimension_count", kWidthMax, spec.head_width));
  if (rope.dimensions % 2 != 0 || rope.dimensions > spec.head_width) {
    return base::invalid_argument(
        fmt::format("[gguf] {}.rope.dimension_count is {} for heads of {}", a, rope.dimensions,
                    spec.head_width));
  }
  if (gguf.metadata.contains(a + ".rope.freq_base")) {
    ASSIGN_OR_RETURN(const double base_value, gguf.number(a + ".rope.freq_base"));
    if (!(base_value > 0) || !std::isfinite(base_value)) {
      return base::invalid_argument(fmt::format("[gguf] {}.rope.freq_base is {}", a, base_value));
    }
    rope.base = static_cast<float>(base_value);
  }
  // GGUF stores Llama's q and k permuted so that pairs are neighbours; the others stay as trained.
  rope.half_split = spec.architecture != "llama";
  const auto type = gguf.text(a + ".rope.scaling.type");
  if (type.ok() && *type != "none") {
    if (*type != "linear") {
      return base::unimplemented(
          fmt::format("[gguf] {}.rope.scaling.type {} is not supported", a, *type));
    }
    ASSIGN_OR_RETURN(const double factor, gguf.number(a + ".rope.scaling.factor"));
    if (!(factor >= 1) || !std::isfinite(factor)) {
      return base::invalid_argument(fmt::format("[gguf] {}.rope.scaling.factor is {}", a, factor));
    }
    rope.linear_factor = static_cast<float>(factor);
  }
  const auto factors = gguf.tensors.find("rope_freqs.weight");
  if (factors != gguf.tensors.end()) {
    if (factors->second.dtype != tensor::DType::f32 || factors->second.dims.size() != 1 ||
        factors->second.dims[0] != rope.dimensions / 2) {
      return base::invalid_argument("[gguf] tensor rope_freqs.weight has the wrong shape");
    }
    rope.frequency_factors.resize(static_cast<std::size_t>(rope.dimensions / 2));
    tensor::dequantize_row(tensor::DType::f32, factors->second.data, rope.frequency_factors.data(),
                           rope.dimensions / 2);
  }
  return rope;
}

// Looks tensors up by name and holds them to the shape that the description gives.
class TensorTable {
 public:
  explicit TensorTable(const Gguf& gguf) : gguf_(gguf) {}

  absl::StatusOr<tensor::MatrixView> matrix(const std::string& name, std::int64_t rows,
                                            std::int64_t columns) const {
    const auto found = gguf_.tensors.find(name);
    if (found == gguf_.tensors.end()) return missing(name);
    const auto& tensor = found->second;
    if (tensor.dims.size() != 2 || tensor.dims[0] != columns || tensor.dims[1] != rows) {
      return wrong_shape(name, tensor, fmt::format("[{}, {}]", columns, rows));
    }
    return tensor::MatrixView{tensor.data, tensor.dtype, rows, columns};
  }

  absl::Status vector(const std::string& name, std::int64_t size, std::vector<float>& out) const {
    const auto found = gguf_.tensors.find(name);
    if (found == gguf_.tensors.end()) return missing(name);
    const auto& tensor = found->second;
    if (tensor.dims.size() != 1 || tensor.dims[0] != size) {
      return wrong_shape(name, tensor, fmt::format("[{}]", size));
    }
    out.resize(static_cast<std::size_t>(size));
    tensor::dequantize_row(tensor.dtype, tensor.data, out.data(), size);
    return absl::OkStatus();
  }

  bool has(const std::string& name) const { return gguf_.tensors.contains(name); }

 private:
  static absl::Status missing(const std::string& name) {
    return base::invalid_argument(fmt::format("[gguf] tensor {} is missing", name));
  }
  static absl::Status wrong_shape(const std::string& name, const GgufTensor& tensor,
                                  const std::string& wanted) {
    return base::invalid_argument(fmt::format("[gguf] tensor {} has shape [{}], expected {}", name,
                                              fmt::join(tensor.dims, ", "), wanted));
  }
  const Gguf& gguf_;
};

absl::StatusOr<LayerWeights> layer_of(const TensorTable& table, const DecoderSpec& spec,
                                      int index) {
  LayerWeights layer;
  const std::string prefix = fmt::format("blk.{}.", index);
  const std::int64_t q_rows = std::int64_t{spec.heads} * spec.head_width;
  const std::int64_t kv_rows = std::int64_t{spec.kv_heads} * spec.head_width;
  const std::int64_t width = spec.width, ff = spec.ff_width;
  RETURN_IF_ERROR(table.vector(prefix + "attn_norm.weight", width, layer.attention_norm));
  RETURN_IF_ERROR(table.vector(prefix + "ffn_norm.weight", width, layer.ffn_norm));
  ASSIGN_OR_RETURN(layer.q, table.matrix(prefix + "attn_q.weight", q_rows, width));
  ASSIGN_OR_RETURN(layer.k, table.matrix(prefix + "attn_k.weight", kv_rows, width));
  ASSIGN_OR_RETURN(layer.v, table.matrix(prefix + "attn_v.weight", kv_rows, width));
  ASSIGN_OR_RETURN(layer.o, table.matrix(prefix + "attn_output.weight", width, q_rows));
  ASSIGN_OR_RETURN(layer.gate, table.matrix(prefix + "ffn_gate.weight", ff, width));
  ASSIGN_OR_RETURN(layer.up, table.matrix(prefix + "ffn_up.weight", ff, width));
  ASSIGN_OR_RETURN(layer.down, table.matrix(prefix + "ffn_down.weight", width, ff));
  if (spec.architecture == "qwen3") {
    RETURN_IF_ERROR(table.vector(prefix + "attn_q_norm.weight", spec.head_width, layer.q_norm));
    RETURN_IF_ERROR(table.vector(prefix + "attn_k_norm.weight", spec.head_width, layer.k_norm));
  }
  if (spec.architecture == "qwen2" || table.has(prefix + "attn_q.bias")) {
    RETURN_IF_ERROR(table.vector(prefix + "attn_q.bias", q_rows, layer.q_bias));
    RETURN_IF_ERROR(table.vector(prefix + "attn_k.bias", kv_rows, layer.k_bias));
    RETURN_IF_ERROR(table.vector(prefix + "attn_v.bias", kv_rows, layer.v_bias));
  }
  return layer;
}

}  // namespace

absl::StatusOr<DecoderSpec> decoder_spec_of(const Gguf& gguf) {
  DecoderSpec spec;
  ASSIGN_OR_RETURN(const auto architecture, gguf.text("general.architecture"));
  spec.architecture = std::string(architecture);
  const std::string& a = spec.architecture;
  if (a != "llama" && a != "qwen2" && a != "qwen3") {
    return base::unimplemented(
        fmt::format("[gguf] architecture {} is not supported (llama, qwen2, qwen3 are)", a));
  }
  ASSIGN_OR_RETURN(spec.layers, bounded(gguf, a + ".block_count", kLayersMax));
  ASSIGN_OR_RETURN(spec.width, bounded(gguf, a + ".embedding_length", kWidthMax));
  ASSIGN_OR_RETURN(spec.ff_width, bounded(gguf, a + ".feed_forward_length", kWidthMax));
  ASSIGN_OR_RETURN(spec.heads, bounded(gguf, a + ".attention.head_count", kWidthMax));
  ASSIGN_OR_RETURN(spec.kv_heads,
                   bounded_or(gguf, a + ".attention.head_count_kv", kWidthMax, spec.heads));
  ASSIGN_OR_RETURN(spec.context, bounded(gguf, a + ".context_length", kContextMax));
  ASSIGN_OR_RETURN(spec.head_width, bounded_or(gguf, a + ".attention.key_length", kWidthMax,
                                               spec.width / spec.heads));
  ASSIGN_OR_RETURN(const double epsilon, gguf.number(a + ".attention.layer_norm_rms_epsilon"));
  if (!(epsilon > 0 && epsilon < 1)) {
    return base::invalid_argument(
        fmt::format("[gguf] {}.attention.layer_norm_rms_epsilon is {}", a, epsilon));
  }
  spec.norm_epsilon = static_cast<float>(epsilon);
  if (spec.head_width < 1 || spec.heads % spec.kv_heads != 0 ||
      std::int64_t{spec.heads} * spec.head_width > kWidthMax) {
    return base::invalid_argument(
        fmt::format("[gguf] {}: {} heads of {} with {} key/value heads do not fit", a, spec.heads,
                    spec.head_width, spec.kv_heads));
  }
  const auto embedding = gguf.tensors.find("token_embd.weight");
  if (embedding == gguf.tensors.end() || embedding->second.dims.size() != 2 ||
      embedding->second.dims[1] > kVocabMax) {
    return base::invalid_argument("[gguf] tensor token_embd.weight is missing or misshapen");
  }
  spec.vocab = static_cast<std::int32_t>(embedding->second.dims[1]);
  ASSIGN_OR_RETURN(spec.rope, rope_of(gguf, a, spec));
  return spec;
}

absl::StatusOr<DecoderWeights> decoder_weights_of(const Gguf& gguf, const DecoderSpec& spec) {
  const TensorTable table(gguf);
  DecoderWeights weights;
  ASSIGN_OR_RETURN(weights.embedding, table.matrix("token_embd.weight", spec.vocab, spec.width));
  weights.head = weights.embedding;
  if (table.has("output.weight")) {
    ASSIGN_OR_RETURN(weights.head, table.matrix("output.weight", spec.vocab, spec.width));
  }
  RETURN_IF_ERROR(table.vector("output_norm.weight", spec.width, weights.final_norm));
  for (int i = 0; i < spec.layers; ++i) {
    ASSIGN_OR_RETURN(auto layer, layer_of(table, spec, i));
    weights.layers.push_back(std::move(layer));
  }
  return weights;
}

absl::StatusOr<TokenizerSpec> tokenizer_spec_of(const Gguf& gguf) {
  TokenizerSpec spec;
  ASSIGN_OR_RETURN(const auto model, gguf.text("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return base::unimplemented(
        fmt::format("[gguf] tokenizer.ggml.model {} is not supported (gpt2 is)", model));
  }
  spec.kind = TokenizerKind::byte_level_bpe;
  const auto pre = gguf.text("tokenizer.ggml.pre");
  if (pre.ok()) spec.pre = std::string(*pre);
  ASSIGN_OR_RETURN(const auto* tokens, gguf.array<std::string_view>("tokenizer.ggml.tokens"));
  ASSIGN_OR_RETURN(const auto* merges, gguf.array<std::string_view>("tokenizer.ggml.merges"));
  for (const auto token : *tokens) spec.tokens.emplace_back(token);
  for (const auto merge : *merges) spec.merges.emplace_back(merge);
  if (gguf.metadata.contains("tokenizer.ggml.token_type")) {
    ASSIGN_OR_RETURN(const auto* types, gguf.array<std::int64_t>("tokenizer.ggml.token_type"));
    if (types->size() != tokens->size()) {
      return base::invalid_argument(
          "[gguf] tokenizer.ggml.token_type has another length than tokens");
    }
    for (std::size_t i = 0; i < types->size(); ++i) {
      const auto type = (*types)[i];
      if (type < 1 || type > 6) {
        return base::invalid_argument(
            fmt::format("[gguf] tokenizer.ggml.token_type[{}] is {}", i, type));
      }
      spec.types.push_back(static_cast<TokenType>(type - 1));
      // 3 = control, 4 = user-defined: both are matched before the text is split.
      if (type == 3 || type == 4) {
        AddedToken added;
        added.id = static_cast<TokenId>(i);
        added.text = spec.tokens[i];
        added.special = type == 3;
        spec.added.push_back(std::move(added));
      }
    }
  }
  const auto id = [&](const char* key, std::optional<TokenId>& out) -> absl::Status {
    const auto value = gguf.integer(key);
    if (absl::IsNotFound(value.status())) return absl::OkStatus();
    RETURN_IF_ERROR(value.status());
    if (*value < 0 || *value >= static_cast<std::int64_t>(tokens->size())) {
      return base::invalid_argument(
          fmt::format("[gguf] {} is {}, outside the vocabulary", key, *value));
    }
    out = static_cast<TokenId>(*value);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(id("tokenizer.ggml.bos_token_id", spec.bos));
  RETURN_IF_ERROR(id("tokenizer.ggml.eos_token_id", spec.eos));
  RETURN_IF_ERROR(id("tokenizer.ggml.unknown_token_id", spec.unk));
  RETURN_IF_ERROR(id("tokenizer.ggml.padding_token_id", spec.pad));
  const auto add_bos = gguf.boolean("tokenizer.ggml.add_bos_token");
  spec.add_bos = add_bos.ok() && *add_bos;
  if (spec.eos.has_value()) spec.end_of_generation.push_back(*spec.eos);
  // Files that name another end of text still end a turn with one of these.
  for (const auto& added : spec.added) {
    for (const char* text : {"<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>"}) {
      if (added.special && added.text == text && added.id != spec.eos) {
        spec.end_of_generation.push_back(added.id);
      }
    }
  }
  return spec;
}

}  // namespace plinth::model
