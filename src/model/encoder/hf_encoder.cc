#include "model/encoder/hf_encoder.h"

#include <fmt/format.h>

namespace plinth::model {

namespace {

// Names of one layer's parts, after its prefix.
struct LayerNames {
  const char* prefix;  // formatted with the layer's index
  const char *q, *k, *v, *o, *attention_norm, *up, *down, *output_norm;
};
constexpr LayerNames kBert = {
    "encoder.layer.{}.",    "attention.self.query",   "attention.self.key",
    "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
    "intermediate.dense",   "output.dense",           "output.LayerNorm"};
constexpr LayerNames kDistilBert = {
    "transformer.layer.{}.", "attention.q_lin", "attention.k_lin", "attention.v_lin",
    "attention.out_lin",     "sa_layer_norm",   "ffn.lin1",        "ffn.lin2",
    "output_layer_norm"};

class Table {
 public:
  // A file saved with a head on top has the encoder's tensors under the family's own prefix.
  Table(const SafetensorsModel& file, const EncoderSpec& spec) : file_(file) {
    const std::string family = spec.architecture == "bert"         ? "bert."
                               : spec.architecture == "distilbert" ? "distilbert."
                                                                   : "roberta.";
    if (!file.has("embeddings.word_embeddings.weight")) prefix_ = family;
  }

  absl::StatusOr<tensor::MatrixView> matrix(const std::string& name, std::int64_t rows,
                                            std::int64_t columns) const {
    return file_.matrix(prefix_ + name, rows, columns);
  }
  absl::StatusOr<BiasedMatrix> linear(const std::string& name, std::int64_t rows,
                                      std::int64_t columns) const {
    BiasedMatrix linear;
    ASSIGN_OR_RETURN(linear.weight, matrix(name + ".weight", rows, columns));
    ASSIGN_OR_RETURN(linear.bias, file_.vector(prefix_ + name + ".bias", rows));
    return linear;
  }
  // Checkpoints that were converted from TensorFlow call the two gamma and beta.
  absl::StatusOr<NormWeights> norm(const std::string& name, std::int64_t width) const {
    const bool converted = file_.has(prefix_ + name + ".gamma");
    NormWeights norm;
    ASSIGN_OR_RETURN(norm.weight,
                     file_.vector(prefix_ + name + (converted ? ".gamma" : ".weight"), width));
    ASSIGN_OR_RETURN(norm.bias,
                     file_.vector(prefix_ + name + (converted ? ".beta" : ".bias"), width));
    return norm;
  }

 private:
  const SafetensorsModel& file_;
  std::string prefix_;
};

absl::StatusOr<EncoderLayerWeights> layer_of(const Table& table, const EncoderSpec& spec,
                                             int index) {
  const LayerNames& names = spec.architecture == "distilbert" ? kDistilBert : kBert;
  const std::string prefix = fmt::format(fmt::runtime(names.prefix), index);
  const std::int64_t width = spec.width, ff = spec.ff_width;
  EncoderLayerWeights layer;
  ASSIGN_OR_RETURN(layer.q, table.linear(prefix + names.q, width, width));
  ASSIGN_OR_RETURN(layer.k, table.linear(prefix + names.k, width, width));
  ASSIGN_OR_RETURN(layer.v, table.linear(prefix + names.v, width, width));
  ASSIGN_OR_RETURN(layer.o, table.linear(prefix + names.o, width, width));
  ASSIGN_OR_RETURN(layer.attention_norm, table.norm(prefix + names.attention_norm, width));
  ASSIGN_OR_RETURN(layer.up, table.linear(prefix + names.up, ff, width));
  ASSIGN_OR_RETURN(layer.down, table.linear(prefix + names.down, width, ff));
  ASSIGN_OR_RETURN(layer.output_norm, table.norm(prefix + names.output_norm, width));
  return layer;
}

}  // namespace

absl::StatusOr<EncoderWeights> hf_encoder_weights(const SafetensorsModel& file,
                                                  const EncoderSpec& spec) {
  const Table table(file, spec);
  EncoderWeights weights;
  ASSIGN_OR_RETURN(weights.embedding,
                   table.matrix("embeddings.word_embeddings.weight", spec.vocab, spec.width));
  ASSIGN_OR_RETURN(weights.positions, table.matrix("embeddings.position_embeddings.weight",
                                                   spec.positions, spec.width));
  if (spec.token_types > 0) {
    ASSIGN_OR_RETURN(const auto types, table.matrix("embeddings.token_type_embeddings.weight",
                                                    spec.token_types, spec.width));
    weights.token_type.resize(static_cast<std::size_t>(spec.width));
    tensor::dequantize_row(types.dtype, types.data, weights.token_type.data(), spec.width);
  }
  ASSIGN_OR_RETURN(weights.embedding_norm, table.norm("embeddings.LayerNorm", spec.width));
  for (int i = 0; i < spec.layers; ++i) {
    ASSIGN_OR_RETURN(auto layer, layer_of(table, spec, i));
    weights.layers.push_back(std::move(layer));
  }
  return weights;
}

}  // namespace plinth::model
