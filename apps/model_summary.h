// What a model's own files say of it, for people: `plinth model show`.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"

namespace plinth {

// architecture, layers, width, parameters, context, vocabulary, quantization, license ("" where the
// files are silent) and chat_template (whether there is one). Reads headers, not weights. An error
// says why the model could not be loaded.
absl::StatusOr<base::json::object> summarize_model(const std::string& path);

// The same, as lines for a terminal.
std::string summary_lines(const base::json::object& summary);

}  // namespace plinth
