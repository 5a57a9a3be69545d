// Any bytes as an adapter's configuration and tensors, which a zero byte parts: an error, or parts
// that fit the base.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/adapter/adapter_formats.h"

namespace {

plinth::model::DecoderSpec small_base() {
  plinth::model::DecoderSpec spec;
  spec.architecture = "llama";
  spec.layers = 2;
  spec.width = 8;
  spec.heads = 2;
  spec.kv_heads = 1;
  spec.head_width = 4;
  spec.ff_width = 12;
  spec.rope.dimensions = 4;
  spec.layer.resize(2);
  return spec;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* end = data + size;
  const auto* mark = std::find(data, end, 0);
  const auto config = plinth::base::parse_json(
      {reinterpret_cast<const char*>(data), static_cast<size_t>(mark - data)});
  if (!config.ok() || !config->is_object() || mark == end) return 0;
  const auto tensors =
      plinth::model::parse_safetensors({mark + 1, static_cast<size_t>(end - mark - 1)});
  if (!tensors.ok()) return 0;
  const auto base = small_base();
  const auto file = plinth::model::read_peft_adapter(config->as_object(), *tensors, base);
  if (!file.ok()) return 0;
  for (const auto& part : file->parts) {
    const auto rank = static_cast<size_t>(part.rank);
    if (part.layer < 0 || part.layer >= base.layers) std::abort();
    if (part.a.size() != rank * static_cast<size_t>(part.inputs)) std::abort();
    if (part.b.size() != rank * static_cast<size_t>(part.outputs)) std::abort();
  }
  return 0;
}
