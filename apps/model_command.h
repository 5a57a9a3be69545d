// plinth model pull/list/show/verify/rm/import
#pragma once

#include <string>

namespace plinth {

class Command;

// Adds the subcommand; its callback leaves the exit code in `exit_code`.
void add_model_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
