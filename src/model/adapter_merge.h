// A base with an adapter in it, as one model.
#pragma once

#include <deque>
#include <vector>

#include "model/adapter_file.h"
#include "model/gguf_copy.h"

namespace plinth::model {

struct MergedWeights {
  DecoderWeights weights;
  std::deque<std::vector<float>> sums;  // the adapted matrices, in fp32
};

// Refers to `base`, which outlives it; the adapter was opened for it.
MergedWeights merge_adapter(const DecoderWeights& base, const AdapterFile& adapter);

// The same while a GGUF base is copied; `adapter` outlives the copying.
void add_adapter(const AdapterFile& adapter, GgufCopy& copy);

}  // namespace plinth::model
