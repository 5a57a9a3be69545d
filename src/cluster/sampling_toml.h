// A model's sampling defaults as catalog and manifest write them: an inline table `sampling`.
#pragma once

#include <string>

#include "base/status.h"
#include "base/toml.h"
#include "protocol/sampling_defaults.h"

namespace plinth::cluster {

// Of a model's table; empty where it has none. InvalidArgument names the field.
absl::StatusOr<protocol::SamplingDefaults> read_sampling_table(const toml::table& model);
toml::table sampling_table(const protocol::SamplingDefaults& defaults);

}  // namespace plinth::cluster
