#include "model/decoder/decoder_arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "model/head_rows.h"

namespace plinth::model {

namespace {

using tensor::MatrixView;

class Arrays {
 public:
  Arrays(const DecoderSpec& spec, const DecoderWeights& weights, const DecoderArrays& format)
      : spec_(spec),
        weights_(weights),
        format_(format),
        names_(format.names),
        attention_bias_(format.attention_bias),
        mlp_bias_(format.mlp_bias) {}

  std::vector<RowArray> make() {
    matrix(names_.embedding, weights_.embedding);
    if (spec_.learned_positions) matrix(names_.positions, weights_.positions);
    if (!names_.head.empty()) matrix(names_.head, weights_.head);
    norm(names_.final_norm, weights_.final_norm);
    for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
      prefix_ = fmt::format("{}{}.", names_.layer_prefix, i);
      add_layer(weights_.layers[i]);
    }
    return std::move(arrays_);
  }

 private:
  void add_layer(const LayerWeights& layer) {
    norm(prefix_ + names_.attention_norm, layer.attention_norm);
    norm(prefix_ + names_.ffn_norm, layer.ffn_norm);
    if (names_.qkv.empty()) {
      heads(names_.q, layer.q, layer.q_bias);
      heads(names_.k, layer.k, layer.k_bias);
      linear(names_.v, {layer.v}, {&layer.v_bias}, attention_bias_);
    } else {
      linear(names_.qkv, {layer.q, layer.k, layer.v}, {&layer.q_bias, &layer.k_bias, &layer.v_bias},
             attention_bias_);
    }
    linear(names_.o, {layer.o}, {&layer.o_bias}, attention_bias_);
    if (spec_.qk_norm) {
      vector(prefix_ + names_.q_norm + ".weight", layer.q_norm, spec_.head_width);
      vector(prefix_ + names_.k_norm + ".weight", layer.k_norm, spec_.head_width);
    }
    if (spec_.gated) linear(names_.gate, {layer.gate}, {&layer.gate_bias}, mlp_bias_);
    linear(names_.up, {layer.up}, {&layer.up_bias}, mlp_bias_);
    linear(names_.down, {layer.down}, {&layer.down_bias}, mlp_bias_);
  }

  void matrix(const std::string& name, const MatrixView& from) {
    arrays_.push_back({name + ".weight", {from.rows, from.columns}, [from](auto row, float* out) {
                         tensor::dequantize_row(from, row, out);
                       }});
  }

  // Zeros where the model has none.
  void vector(const std::string& name, const std::vector<float>& from, std::int64_t size) {
    arrays_.push_back({name, {size}, [&from, size](auto /*row*/, float* out) {
                         if (from.empty()) std::fill_n(out, size, 0.0f);
                         std::copy(from.begin(), from.end(), out);
                       }});
  }

  void norm(const std::string& name, const NormWeights& from) {
    vector(name + ".weight", from.weight, spec_.width);
    if (spec_.norm == NormKind::layer) vector(name + ".bias", from.bias, spec_.width);
  }

  // By row of the file: where it lies here.
  std::vector<std::int64_t> rows_here(std::int64_t rows) const {
    const auto order = spec_.rope.half_split ? HeadOrder::halves : HeadOrder::neighbours;
    std::vector<std::int64_t> here(static_cast<std::size_t>(rows));
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto among = row_among_halves(spec_, row);
      if (order == format_.order) {
        here[static_cast<std::size_t>(row)] = row;
      } else if (format_.order == HeadOrder::neighbours) {
        here[static_cast<std::size_t>(row)] = among;
      } else {
        here[static_cast<std::size_t>(among)] = row;
      }
    }
    return here;
  }

  void heads(const std::string& name, const MatrixView& from, const std::vector<float>& bias) {
    const auto here = rows_here(from.rows);
    arrays_.push_back(
        {prefix_ + name + ".weight", {from.rows, from.columns}, [here, from](auto row, float* out) {
           tensor::dequantize_row(from, here[static_cast<std::size_t>(row)], out);
         }});
    if (bias.empty() && !attention_bias_) return;
    arrays_.push_back({prefix_ + name + ".bias", {from.rows}, [here, &bias](auto, float* out) {
                         for (const auto row : here)
                           *out++ = bias.empty() ? 0 : bias[static_cast<std::size_t>(row)];
                       }});
  }

  // Stacked by rows; transposed where the class keeps them so.
  void linear(const std::string& name, std::vector<MatrixView> parts,
              std::vector<const std::vector<float>*> biases, bool always_bias) {
    std::int64_t rows = 0;
    bool any = always_bias || names_.transposed;
    for (const auto& part : parts) rows += part.rows;
    for (const auto* bias : biases) any = any || !bias->empty();
    const auto columns = parts.front().columns;
    if (names_.transposed) {
      arrays_.push_back(
          {prefix_ + name + ".weight", {columns, rows}, transposed_rows(parts, rows)});
    } else {
      arrays_.push_back({prefix_ + name + ".weight", {rows, columns}, stacked_rows(parts)});
    }
    if (!any) return;
    arrays_.push_back({prefix_ + name + ".bias", {rows}, [parts, biases](auto /*row*/, float* out) {
                         for (std::size_t i = 0; i < parts.size(); out += parts[i].rows, ++i) {
                           std::fill_n(out, parts[i].rows, 0.0f);
                           std::copy(biases[i]->begin(), biases[i]->end(), out);
                         }
                       }});
  }

  static std::function<void(std::int64_t, float*)> stacked_rows(
      const std::vector<MatrixView>& parts) {
    return [parts](std::int64_t row, float* out) {
      const auto* part = parts.data();
      for (; row >= part->rows; ++part) row -= part->rows;
      tensor::dequantize_row(*part, row, out);
    };
  }

  // Made plain once, when the first row is asked for: rows come in order.
  static std::function<void(std::int64_t, float*)> transposed_rows(
      const std::vector<MatrixView>& parts, std::int64_t rows) {
    const auto plain = std::make_shared<std::vector<float>>();
    return [parts, rows, plain](std::int64_t column, float* out) {
      const auto columns = parts.front().columns;
      if (plain->empty()) {
        plain->resize(static_cast<std::size_t>(rows * columns));
        auto* to = plain->data();
        for (const auto& part : parts) {
          for (std::int64_t r = 0; r < part.rows; ++r, to += columns)
            tensor::dequantize_row(part, r, to);
        }
      }
      for (std::int64_t r = 0; r < rows; ++r)
        out[r] = (*plain)[static_cast<std::size_t>(r * columns + column)];
      if (column + 1 == columns) std::vector<float>().swap(*plain);
    };
  }

  const DecoderSpec& spec_;
  const DecoderWeights& weights_;
  const DecoderArrays& format_;
  const TensorNames& names_;
  const bool attention_bias_, mlp_bias_;
  std::string prefix_;
  std::vector<RowArray> arrays_;
};

}  // namespace

std::vector<RowArray> decoder_arrays(const DecoderSpec& spec, const DecoderWeights& weights,
                                     const DecoderArrays& arrays) {
  return Arrays(spec, weights, arrays).make();
}

}  // namespace plinth::model
