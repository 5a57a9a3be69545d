// plinth run "prompt": one answer on standard output.
#pragma once

#include <string>

namespace plinth {

class Command;

void add_run_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
