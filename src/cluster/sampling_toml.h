// A model's sampling defaults as catalog and manifest write them: a table `sampling`.
#pragma once

#include <string>

#include "base/status.h"
#include "base/toml.h"
#include "protocol/sampling_defaults.h"

namespace plinth::cluster {

// Of a model's table; empty where it has none. InvalidArgument names the field.
absl::StatusOr<protocol::SamplingDefaults> read_sampling_table(const toml::table& model);
// A table for the end of a file, "" where there is none; toml++ would write 0.2 with 17 digits.
std::string sampling_text(const protocol::SamplingDefaults& defaults);

}  // namespace plinth::cluster
