// The model that adapters of tests and fuzz targets lie over, and what must hold for them.
#pragma once

#include "model/adapter_file.h"
#include "model/decoder_spec.h"

namespace plinth::model {

inline DecoderSpec small_adapter_base(bool half_split = true) {
  DecoderSpec spec;
  spec.architecture = "llama";
  spec.layers = 2;
  spec.width = 8;
  spec.heads = 2;
  spec.kv_heads = 1;
  spec.head_width = 4;
  spec.ff_width = 12;
  spec.rope.dimensions = 4;
  spec.rope.half_split = half_split;
  spec.layer.resize(2);
  return spec;
}

// Whether every matrix has the numbers that it says, beside a layer that is there.
inline bool parts_fit(const AdapterFile& file, const DecoderSpec& base) {
  for (const auto& part : file.parts) {
    const auto rank = static_cast<std::size_t>(part.rank);
    if (part.layer < 0 || part.layer >= base.layers) return false;
    if (part.a.size() != rank * static_cast<std::size_t>(part.inputs)) return false;
    if (part.b.size() != rank * static_cast<std::size_t>(part.outputs)) return false;
  }
  return true;
}

}  // namespace plinth::model
