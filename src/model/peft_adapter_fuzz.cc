// Any bytes as an adapter's configuration and tensors, which a zero byte parts: an error, or parts
// that fit the base.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/adapter/adapter_formats.h"
#include "model/testing/adapter_base.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* end = data + size;
  const auto* mark = std::find(data, end, 0);
  const auto config = plinth::base::parse_json(
      {reinterpret_cast<const char*>(data), static_cast<size_t>(mark - data)});
  if (!config.ok() || !config->is_object() || mark == end) return 0;
  const auto tensors =
      plinth::model::parse_safetensors({mark + 1, static_cast<size_t>(end - mark - 1)});
  if (!tensors.ok()) return 0;
  const auto base = plinth::model::small_adapter_base();
  const auto file = plinth::model::read_peft_adapter(config->as_object(), *tensors, base);
  if (file.ok() && !plinth::model::parts_fit(*file, base)) std::abort();
  return 0;
}
