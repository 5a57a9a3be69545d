// The two orders of a query's or a key's rows: rope pairs element i of a head with i + half
// ("halves", Hugging Face's), or 2i with 2i + 1 ("neighbours", Llama's in GGUF).
#pragma once

#include <cstdint>

#include "model/decoder_spec.h"

namespace plinth::model {

// Where row `row` of neighbours lies among halves.
inline std::int64_t row_among_halves(const DecoderSpec& spec, std::int64_t row) {
  const std::int64_t half = spec.rope.dimensions / 2;
  const auto in_head = row % spec.head_width;
  return in_head >= 2 * half ? row : row - in_head + in_head / 2 + (in_head % 2) * half;
}

}  // namespace plinth::model
