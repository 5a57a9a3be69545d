// Any bytes as a config.json: an error or a description whose layers can be walked.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "model/hf/hf_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 64u << 10) return 0;
  const auto config = plinth::base::parse_json({reinterpret_cast<const char*>(data), size});
  if (!config.ok() || !config->is_object()) return 0;
  const auto spec = plinth::model::hf_decoder_spec(config->as_object());
  if (!spec.ok()) return 0;
  if (spec->layer.size() != static_cast<size_t>(spec->layers)) std::abort();
  if (spec->heads % spec->kv_heads != 0 || spec->experts.used > spec->experts.count) std::abort();
  (void)plinth::model::hf_tensor_names(*spec, config->as_object(), "model.");
  return 0;
}
