// Any bytes as a GGUF file: an error or a table whose every tensor can be read.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/gguf/gguf_decoder.h"
#include "model/gguf/gguf_reader.h"
#include "model/gguf/gguf_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto gguf = plinth::model::parse_gguf({data, size});
  if (!gguf.ok()) return 0;
  std::vector<float> row;
  for (const auto& [name, tensor] : gguf->tensors) {
    if (tensor.dims[0] > 1 << 16) continue;
    row.resize(static_cast<size_t>(tensor.dims[0]));
    plinth::tensor::dequantize_row(tensor.dtype, tensor.data, row.data(), tensor.dims[0]);
  }
  const auto spec = plinth::model::decoder_spec_of(*gguf);
  if (spec.ok()) (void)plinth::model::decoder_weights_of(*gguf, *spec).status();
  (void)plinth::model::tokenizer_spec_of(*gguf).status();
  return 0;
}
