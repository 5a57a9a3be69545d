// GGUF metadata and tensors as a DecoderSpec and its weights.
#pragma once

#include "base/status.h"
#include "model/decoder/bind_weights.h"
#include "model/decoder_spec.h"
#include "model/gguf/gguf_reader.h"

namespace plinth::model {

// Unimplemented for an architecture that is not known; InvalidArgument for a value out of range.
absl::StatusOr<DecoderSpec> decoder_spec_of(const Gguf& gguf);

// InvalidArgument names a tensor that is missing or whose shape disagrees with the description.
absl::StatusOr<DecoderWeights> decoder_weights_of(const Gguf& gguf, const DecoderSpec& spec);

// The head is named where the model has one of its own, and where it has not.
TensorNames gguf_tensor_names(const DecoderSpec& spec);

}  // namespace plinth::model
