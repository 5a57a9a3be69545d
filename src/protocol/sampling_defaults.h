// What a model wants to be sampled with where a request says nothing.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::protocol {

// By the request's own field: {"temperature": 0.2, "top_p": 0.9}.
using SamplingDefaults = std::map<std::string, double, std::less<>>;

// The fields that may have one: temperature, top_p, top_k, min_p, typical_p, repetition_penalty.
std::span<const std::string_view> sampling_default_names();
// InvalidArgument names the field: none of these, or a value outside its range.
absl::Status check_sampling_default(std::string_view name, double value);
// `name` is one of the fields.
void set_sampling(SamplingParams& params, std::string_view name, double value);

}  // namespace plinth::protocol
