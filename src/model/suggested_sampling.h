// What a model's makers suggest to sample it with.
#pragma once

#include <map>
#include <string>

#include "base/status.h"

namespace plinth::model {

// Of a .gguf file its general.sampling.* fields, of a folder its generation_config.json, by the
// names that requests use (temperature, top_p, top_k, min_p, typical_p, repetition_penalty) and
// unchecked. Empty where they suggest nothing; an error where they cannot be read.
absl::StatusOr<std::map<std::string, double, std::less<>>> suggested_sampling(
    const std::string& path);

}  // namespace plinth::model
