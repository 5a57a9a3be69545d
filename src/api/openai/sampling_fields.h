// The fields that chat and text completions share: how tokens are chosen and when to stop.
#pragma once

#include <string>
#include <vector>

#include "api/schema/schema.h"
#include "api/schema/values.h"
#include "base/status.h"
#include "protocol/generate.h"
#include "protocol/sampling_defaults.h"

namespace plinth::api {

// What a client asked about the form of a stream.
struct StreamOptions {
  bool stream = false;
  bool include_usage = false;
  bool include_obfuscation = false;
};

Field model_field();
std::vector<Field> sampling_fields();
std::vector<Field> stream_fields();

// Fills model, sampling, n, stop and ignore_eos of `request`. `left_out` gets the names of the
// fields that the body leaves to the model's own defaults.
absl::Status read_sampling(const Values& body, protocol::GenerateRequest& request,
                           std::vector<std::string>& left_out);
void apply_defaults(const protocol::SamplingDefaults& defaults,
                    const std::vector<std::string>& left_out, protocol::SamplingParams& sampling);
// InvalidArgument for stream_options without stream.
absl::StatusOr<StreamOptions> read_stream_options(const Values& body);

}  // namespace plinth::api
