// Any bytes as a JSON body: a value or an error, within depth and size; and what is written again
// is read as the same value.
#include <cstdlib>
#include <string_view>

#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = plinth::base::parse_json(text, {.depth_max = 16, .bytes_max = 1u << 16});
  if (!value.ok()) return 0;
  const auto again = plinth::base::parse_json(plinth::base::to_json(*value));
  if (!again.ok()) std::abort();
  if (const auto* string = value->if_string()) {
    std::string out;
    plinth::base::append_json_string(out, {string->data(), string->size()});
    const auto read = plinth::base::parse_json(out);
    if (!read.ok() || *read != *value) std::abort();
  }
  return 0;
}
