#include "model/adapter_merge.h"

namespace plinth::model {

namespace {

tensor::MatrixView& matrix_of(LayerWeights& layer, AdaptedMatrix matrix) {
  switch (matrix) {
    case AdaptedMatrix::q:
      return layer.q;
    case AdaptedMatrix::k:
      return layer.k;
    case AdaptedMatrix::v:
      return layer.v;
    case AdaptedMatrix::o:
      return layer.o;
    case AdaptedMatrix::gate:
      return layer.gate;
    case AdaptedMatrix::up:
      return layer.up;
    case AdaptedMatrix::down:
      break;
  }
  return layer.down;
}

}  // namespace

MergedWeights merge_adapter(const DecoderWeights& base, const AdapterFile& adapter) {
  MergedWeights merged{base, {}};
  for (const auto& part : adapter.parts) {
    auto& matrix =
        matrix_of(merged.weights.layers[static_cast<std::size_t>(part.layer)], part.matrix);
    auto& sums = merged.sums.emplace_back(static_cast<std::size_t>(matrix.rows * matrix.columns));
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
      float* numbers = sums.data() + row * matrix.columns;
      tensor::dequantize_row(matrix, row, numbers);
      part.add_row(row, numbers);
    }
    matrix = {reinterpret_cast<const std::uint8_t*>(sums.data()), tensor::DType::f32, matrix.rows,
              matrix.columns};
  }
  return merged;
}

void add_adapter(const AdapterFile& adapter, GgufCopy& copy) {
  for (const auto& part : adapter.parts) {
    copy.changes[part.gguf_name()] = [&part](std::int64_t row, float* numbers) {
      part.add_row(row, numbers);
    };
  }
}

}  // namespace plinth::model
