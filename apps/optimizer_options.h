// How commands that train are told which optimizer steps.
#pragma once

#include <CLI/App.hpp>

#include "train/trainer.h"

namespace plinth {

// --optimizer, --short-moments and --no-spike-guard. The guard is on unless told.
void add_optimizer_options(CLI::App& command, train::TrainerOptions& trainer);

}  // namespace plinth
