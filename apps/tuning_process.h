// The process of one fine-tuning job: reads its task and data from a pipe, trains, and reports
// into another (tuning_wire.h).
#pragma once

#include <CLI/App.hpp>

namespace plinth {

void add_tuning_command(CLI::App& app, int& exit_code);

}  // namespace plinth
