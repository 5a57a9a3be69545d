// Any bytes as a safetensors file and as a shard index: an error, or a table whose every byte can
// be read and whose tensors cover the data exactly.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/safetensors/safetensors_model.h"
#include "model/safetensors_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)plinth::model::parse_safetensors_index({reinterpret_cast<const char*>(data), size});
  const auto table = plinth::model::parse_safetensors({data, size});
  if (!table.ok()) return 0;
  size_t bytes = 0;
  [[maybe_unused]] volatile uint8_t sink = 0;
  for (const auto& [name, tensor] : *table) {
    bytes += tensor.bytes;
    for (uint64_t i = 0; i < tensor.bytes; ++i) sink = tensor.data[i];
  }
  if (bytes > size) std::abort();
  return 0;
}
