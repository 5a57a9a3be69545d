// Adapters of random numbers to measure with: all seven matrices of every layer.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/decoder_spec.h"
#include "protocol/generate.h"

namespace plinth {

// Writes `count` PEFT folders into `folder`. Unimplemented for a model with experts.
absl::StatusOr<std::vector<protocol::AdapterRef>> write_random_adapters(
    const model::DecoderSpec& spec, int count, int rank, const std::string& folder);

}  // namespace plinth
