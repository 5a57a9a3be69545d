// The weights of a Hugging Face encoder under the names that each family gives them.
#pragma once

#include "base/status.h"
#include "model/encoder_spec.h"
#include "model/safetensors/safetensors_model.h"

namespace plinth::model {

// InvalidArgument names a tensor that is missing or whose shape disagrees with the description.
absl::StatusOr<EncoderWeights> hf_encoder_weights(const SafetensorsModel& file,
                                                  const EncoderSpec& spec);

}  // namespace plinth::model
