#include "model/gguf_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "model/decoder/decoder_arrays.h"
#include "model/gguf/gguf_decoder.h"
#include "model/gguf/gguf_spec_writer.h"
#include "model/gguf/gguf_tokenizer_writer.h"
#include "model/gguf/stored_type.h"
#include "tensor/quantize.h"

namespace plinth::model {

namespace {

using tensor::DType;

DecoderArrays format_of(const DecoderSpec& spec, const DecoderWeights& weights) {
  DecoderArrays format{.names = gguf_tensor_names(spec)};
  if (weights.head.data == weights.embedding.data) format.names.head.clear();
  if (gguf_neighbours(spec.architecture)) format.order = HeadOrder::neighbours;
  return format;
}

DType type_of(const RowArray& array, const TensorNames& names, const GgufTypes& types) {
  if (array.shape.size() == 1) return DType::f32;
  // As llama.cpp's converters keep it: it is added, not multiplied with.
  if (array.name == names.positions + ".weight") return DType::f32;
  const bool outer =
      array.name == names.embedding + ".weight" || array.name == names.head + ".weight";
  return stored_type(outer ? types.outer : types.matrices, array.shape.back());
}

GgufWriter::Rows rows_of(const RowArray& array, DType dtype) {
  return [&array, dtype](std::int64_t first, std::int64_t count, std::uint8_t* out) {
    const auto columns = array.shape.back();
    std::vector<float> row(static_cast<std::size_t>(columns));
    for (auto r = first; r < first + count; ++r, out += tensor::row_bytes(dtype, columns)) {
      array.row(r, row.data());
      tensor::quantize_row(dtype, row.data(), out, columns);
    }
  };
}

}  // namespace

absl::Status write_gguf(const ModelFile& model, const DecoderWeights& weights,
                        const GgufTypes& types, const std::string& path) {
  const auto& spec = model.spec;
  RETURN_IF_ERROR(base::annotate(check_gguf_tokenizer(model.tokenizer), "[export]"));
  GgufWriter writer;
  RETURN_IF_ERROR(add_gguf_spec(model, writer));
  add_gguf_tokenizer(model.tokenizer, spec.vocab, model.chat_template, writer);
  const auto format = format_of(spec, weights);
  const auto arrays = decoder_arrays(spec, weights, format);
  for (const auto& array : arrays) {
    const auto dtype = type_of(array, format.names, types);
    const bool vector = array.shape.size() == 1;
    writer.add(array.name, dtype, vector ? 0 : array.shape.front(), array.shape.back(),
               rows_of(array, dtype));
  }
  return writer.write(path, nullptr);
}

}  // namespace plinth::model
