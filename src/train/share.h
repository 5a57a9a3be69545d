// A batch among the ranks of a run.
#pragma once

#include <cstdint>
#include <vector>

#include "train/stretches.h"

namespace plinth::train {

// Indices into `lengths` that are the rank's, ascending: the longest first, each to the rank that
// has the fewest tokens so far. Graham, "Bounds on multiprocessing timing anomalies", 1969.
std::vector<std::size_t> share_of(const std::vector<std::int64_t>& lengths, const Place& place);

}  // namespace plinth::train
