// How commands that train are told which optimizer steps.
#pragma once

#include "train/trainer.h"

namespace plinth {

class Command;

// --optimizer, --short-moments and --no-spike-guard. The guard is on unless told.
void add_optimizer_options(Command& command, train::TrainerOptions& trainer);

}  // namespace plinth
