// The plots of a run of `plinth bench serve`, as files.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/serve/report.h"
#include "base/status.h"

namespace plinth::serve {

// first_token.svg and between_tokens.svg: distributions, one curve for each rate; and, of two rates
// or more, goodput.svg. The folder is made. Where rsvg-convert is installed each becomes a PNG too;
// `notes` says where it is not. Unavailable where a file cannot be written or converted.
absl::Status write_plots(const std::string& folder,
                         const std::vector<std::pair<double, Report>>& by_rate,
                         std::vector<std::string>& notes);

}  // namespace plinth::serve
