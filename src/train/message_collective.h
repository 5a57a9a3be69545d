// A collective of messages, which go straight from each rank to each other.
#pragma once

#include <chrono>
#include <memory>

#include "train/collective.h"
#include "train/limits.h"
#include "train/messages.h"

namespace plinth::train {

// A rank waits for `bound` at the most.
std::unique_ptr<Collective> collective_of(std::unique_ptr<Messages> messages,
                                          std::chrono::milliseconds bound = kRankWaitMax);

}  // namespace plinth::train
