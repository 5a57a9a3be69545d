// Text without borders, to be learnt in windows of one length.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "train/objective.h"

namespace plinth::train {

// A record is the window that begins at its number, and the token after each is what is learnt;
// stride: how far apart windows begin. At least window + 1 tokens.
std::unique_ptr<Objective> make_stream_objective(std::vector<std::int32_t> tokens,
                                                 std::int64_t window, std::int64_t stride);

}  // namespace plinth::train
