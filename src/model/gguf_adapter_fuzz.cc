// Any bytes as a GGUF adapter: an error, or parts that fit the base.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "model/adapter/adapter_formats.h"
#include "model/testing/adapter_base.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto gguf = plinth::model::parse_gguf({data, size});
  if (!gguf.ok()) return 0;
  const auto base = plinth::model::small_adapter_base();
  const auto file = plinth::model::read_gguf_adapter(*gguf, base);
  if (file.ok() && !plinth::model::parts_fit(*file, base)) std::abort();
  return 0;
}
