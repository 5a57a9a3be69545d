// What is refused about files and uploads, in OpenAI's words.
#pragma once

#include <functional>
#include <string_view>

#include "api/exchange.h"
#include "base/status.h"

namespace plinth::api {

// A status of governance about files as clients should see it: `param` is the field at fault. No
// room is 400 with the code storage_limit_exceeded: retrying helps nobody.
absl::Status file_error(const absl::Status& status, std::string_view param);

// Runs `work` where it may wait for the disk, once the caller was found to have a project.
void run_on_files(const ExchangePtr& exchange, std::function<void()> work,
                  WorkQueue::Lane lane = WorkQueue::Lane::usual);

}  // namespace plinth::api
