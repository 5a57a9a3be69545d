// The process of one fine-tuning job: reads its task and data from a pipe, trains, and reports
// into another (tuning_wire.h).
#pragma once

namespace plinth {

class Command;

void add_tuning_command(Command& app, int& exit_code);

}  // namespace plinth
