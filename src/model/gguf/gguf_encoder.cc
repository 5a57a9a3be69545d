#include "model/gguf/gguf_encoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/limits.h"

namespace plinth::model {

namespace {

absl::StatusOr<std::int32_t> bounded(const Gguf& gguf, const std::string& key, std::int64_t most) {
  ASSIGN_OR_RETURN(const auto value, gguf.integer(key));
  if (value < 1 || value > most) {
    return base::invalid_argument(fmt::format("[gguf] {} is {}, not in 1..{}", key, value, most));
  }
  return static_cast<std::int32_t>(value);
}

class Table {
 public:
  explicit Table(const Gguf& gguf) : gguf_(gguf) {}

  bool has(const std::string& name) const { return gguf_.tensors.contains(name); }
  absl::StatusOr<tensor::MatrixView> matrix(const std::string& name, std::int64_t rows,
                                            std::int64_t columns) const {
    ASSIGN_OR_RETURN(const auto* tensor, look_up(name, {columns, rows}));
    return tensor::MatrixView{tensor->data, tensor->dtype, rows, columns};
  }
  absl::StatusOr<std::vector<float>> vector(const std::string& name, std::int64_t size) const {
    ASSIGN_OR_RETURN(const auto* tensor, look_up(name, {size}));
    std::vector<float> values(static_cast<std::size_t>(size));
    tensor::dequantize_row(tensor->dtype, tensor->data, values.data(), size);
    return values;
  }
  absl::StatusOr<BiasedMatrix> linear(const std::string& name, std::int64_t rows,
                                      std::int64_t columns) const {
    BiasedMatrix linear;
    ASSIGN_OR_RETURN(linear.weight, matrix(name + ".weight", rows, columns));
    ASSIGN_OR_RETURN(linear.bias, vector(name + ".bias", rows));
    return linear;
  }
  absl::StatusOr<NormWeights> norm(const std::string& name, std::int64_t width) const {
    NormWeights norm;
    ASSIGN_OR_RETURN(norm.weight, vector(name + ".weight", width));
    ASSIGN_OR_RETURN(norm.bias, vector(name + ".bias", width));
    return norm;
  }
  // Rows of a matrix whose width is known; 0 where there is none.
  std::int64_t rows(const std::string& name) const {
    const auto found = gguf_.tensors.find(name);
    return found == gguf_.tensors.end() || found->second.dims.size() != 2 ? 0
                                                                          : found->second.dims[1];
  }

 private:
  // dims: as stored, fastest first.
  absl::StatusOr<const GgufTensor*> look_up(const std::string& name,
                                            const std::vector<std::int64_t>& dims) const {
    const auto found = gguf_.tensors.find(name);
    if (found == gguf_.tensors.end()) {
      return base::invalid_argument(fmt::format("[gguf] tensor {} is missing", name));
    }
    if (found->second.dims != dims) {
      return base::invalid_argument(fmt::format("[gguf] tensor {} has shape [{}], expected [{}]",
                                                name, fmt::join(found->second.dims, ", "),
                                                fmt::join(dims, ", ")));
    }
    return &found->second;
  }
  const Gguf& gguf_;
};

// GGUF's numbering of poolings; absent and 0 leave the choice to the reader, who takes the mean.
absl::StatusOr<Pooling> pooling_of(const Gguf& gguf) {
  const auto type = gguf.integer("bert.pooling_type");
  if (absl::IsNotFound(type.status())) return Pooling::mean;
  RETURN_IF_ERROR(type.status());
  if (*type == 0 || *type == 1) return Pooling::mean;
  if (*type == 2) return Pooling::cls;
  return base::unimplemented(
      fmt::format("[gguf] bert.pooling_type {} is not supported (1 mean, 2 cls are)", *type));
}

}  // namespace

absl::StatusOr<EncoderSpec> gguf_encoder_spec(const Gguf& gguf) {
  EncoderSpec spec;
  ASSIGN_OR_RETURN(const auto architecture, gguf.text("general.architecture"));
  spec.architecture = std::string(architecture);
  if (spec.architecture != "bert") {
    return base::unimplemented(fmt::format(
        "[gguf] architecture {} is not supported for embeddings (bert is)", architecture));
  }
  ASSIGN_OR_RETURN(spec.layers, bounded(gguf, "bert.block_count", kLayersMax));
  ASSIGN_OR_RETURN(spec.width, bounded(gguf, "bert.embedding_length", kWidthMax));
  ASSIGN_OR_RETURN(spec.ff_width, bounded(gguf, "bert.feed_forward_length", kWidthMax));
  ASSIGN_OR_RETURN(spec.heads, bounded(gguf, "bert.attention.head_count", spec.width));
  ASSIGN_OR_RETURN(spec.context, bounded(gguf, "bert.context_length", kContextMax));
  if (spec.width % spec.heads != 0) {
    return base::invalid_argument(fmt::format(
        "[gguf] bert.attention.head_count is {} for a width of {}", spec.heads, spec.width));
  }
  ASSIGN_OR_RETURN(const double epsilon, gguf.number("bert.attention.layer_norm_epsilon"));
  if (!(epsilon > 0 && epsilon < 1)) {
    return base::invalid_argument(
        fmt::format("[gguf] bert.attention.layer_norm_epsilon is {}", epsilon));
  }
  spec.norm_epsilon = static_cast<float>(epsilon);
  const Table table(gguf);
  const auto vocab = table.rows("token_embd.weight");
  const auto positions = table.rows("position_embd.weight");
  if (vocab < 1 || vocab > kVocabMax || positions < spec.context || positions > kContextMax) {
    return base::invalid_argument(fmt::format(
        "[gguf] {} rows of token_embd.weight and {} of position_embd.weight do not fit a "
        "bert.context_length of {}",
        vocab, positions, spec.context));
  }
  spec.vocab = static_cast<std::int32_t>(vocab);
  spec.positions = static_cast<std::int32_t>(positions);
  spec.token_types = table.has("token_types.weight") ? 1 : 0;
  ASSIGN_OR_RETURN(spec.pooling, pooling_of(gguf));
  spec.normalize = true;
  return spec;
}

absl::StatusOr<EncoderWeights> gguf_encoder_weights(const Gguf& gguf, const EncoderSpec& spec) {
  const Table table(gguf);
  const std::int64_t width = spec.width, ff = spec.ff_width;
  EncoderWeights weights;
  ASSIGN_OR_RETURN(weights.embedding, table.matrix("token_embd.weight", spec.vocab, width));
  ASSIGN_OR_RETURN(weights.positions, table.matrix("position_embd.weight", spec.positions, width));
  if (spec.token_types > 0) {
    const auto rows = table.rows("token_types.weight");
    ASSIGN_OR_RETURN(const auto types,
                     table.matrix("token_types.weight", std::max<std::int64_t>(rows, 1), width));
    weights.token_type.resize(static_cast<std::size_t>(width));
    tensor::dequantize_row(types.dtype, types.data, weights.token_type.data(), width);
  }
  ASSIGN_OR_RETURN(weights.embedding_norm, table.norm("token_embd_norm", width));
  for (int i = 0; i < spec.layers; ++i) {
    const std::string prefix = fmt::format("blk.{}.", i);
    EncoderLayerWeights layer;
    ASSIGN_OR_RETURN(layer.q, table.linear(prefix + "attn_q", width, width));
    ASSIGN_OR_RETURN(layer.k, table.linear(prefix + "attn_k", width, width));
    ASSIGN_OR_RETURN(layer.v, table.linear(prefix + "attn_v", width, width));
    ASSIGN_OR_RETURN(layer.o, table.linear(prefix + "attn_output", width, width));
    ASSIGN_OR_RETURN(layer.attention_norm, table.norm(prefix + "attn_output_norm", width));
    ASSIGN_OR_RETURN(layer.up, table.linear(prefix + "ffn_up", ff, width));
    ASSIGN_OR_RETURN(layer.down, table.linear(prefix + "ffn_down", width, ff));
    ASSIGN_OR_RETURN(layer.output_norm, table.norm(prefix + "layer_output_norm", width));
    weights.layers.push_back(std::move(layer));
  }
  return weights;
}

}  // namespace plinth::model
