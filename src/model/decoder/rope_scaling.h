// Rope frequencies under each published scaling, made once when a model is loaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/decoder_spec.h"

namespace plinth::model {

// What model files say about scaling; a field that a kind does not use is ignored.
struct RopeScaling {
  std::string kind = "default";  // default, linear, llama3, yarn, longrope
  double factor = 1;
  std::int32_t original_context = 0;
  double attention_factor = 0;  // 0 = as the scaling's paper gives it
  // Llama 3: wavelengths above original_context / low_frequency are stretched in full.
  double low_frequency = 1, high_frequency = 4;
  // YaRN: pairs that turn more than beta_fast times over the original context are kept.
  double beta_fast = 32, beta_slow = 1;
  double mscale = 0, mscale_all_dim = 0;  // DeepSeek's form of YaRN's attention factor; 0 = unset
  bool truncate = true;                   // YaRN's borders are rounded to whole pairs
  // LongRoPE: [dimensions / 2], divisors within and beyond the original context.
  std::vector<double> short_factors, long_factors;
};

// rope: dimensions and half_split set. divisors: one for each pair (GGUF's rope_freqs), or empty.
// Unimplemented names an unknown kind; InvalidArgument the value that does not fit.
// Sources: Chen et al., "Extending context window via position interpolation", 2023 (linear); Peng
// et al., "YaRN", 2023; Ding et al., "LongRoPE", 2024; the Llama 3.1 release (llama3).
absl::Status set_rope_frequencies(double theta, const RopeScaling& scaling,
                                  const std::vector<double>& divisors, std::int32_t context,
                                  RopeSpec& rope);

}  // namespace plinth::model
