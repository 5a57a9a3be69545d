// Rope frequencies under each published scaling, made once when a model is loaded.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "model/decoder_spec.h"

namespace plinth::model {

// rope: dimensions and half_split set; gets theta and scaling as they are given, too. divisors: one
// for each pair (GGUF's rope_freqs), or empty. Unimplemented names an unknown kind; InvalidArgument
// the value that does not fit. Sources: Chen et al., "Extending context window via position
// interpolation", 2023 (linear); Peng et al., "YaRN", 2023; Ding et al., "LongRoPE", 2024; the
// Llama 3.1 release (llama3).
absl::Status set_rope_frequencies(double theta, const RopeScaling& scaling,
                                  const std::vector<double>& divisors, std::int32_t context,
                                  RopeSpec& rope);

}  // namespace plinth::model
