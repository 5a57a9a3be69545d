// A model all of whose weights learnt, as others take it.
#pragma once

#include <string>

#include "base/status.h"
#include "model/decoder_spec.h"
#include "tensor/dtype.h"
#include "train/parameters.h"

namespace plinth::train {

// `base` with these weights instead of its own. Refers to both, which outlive it.
model::DecoderWeights whole_weights(const Parameters<float>& parameters,
                                    const model::DecoderWeights& base);

// A copy of the GGUF model `base` with these weights: matrices as `dtype`, vectors as F32.
// Unimplemented where the file keeps one in another form than the trainer (q, k and v as one).
absl::Status write_whole_gguf(const Parameters<float>& parameters, const std::string& base_path,
                              tensor::DType dtype, const std::string& to);

}  // namespace plinth::train
