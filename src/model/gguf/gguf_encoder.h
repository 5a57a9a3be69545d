// GGUF metadata and tensors of architecture bert as an EncoderSpec and its weights.
#pragma once

#include "base/status.h"
#include "model/encoder_spec.h"
#include "model/gguf/gguf_reader.h"

namespace plinth::model {

// Unimplemented names an architecture or pooling that is not known; InvalidArgument a value out of
// range. GGUF does not say whether vectors are normalised: they are.
absl::StatusOr<EncoderSpec> gguf_encoder_spec(const Gguf& gguf);

// InvalidArgument names a tensor that is missing or whose shape disagrees with the description.
absl::StatusOr<EncoderWeights> gguf_encoder_weights(const Gguf& gguf, const EncoderSpec& spec);

}  // namespace plinth::model
