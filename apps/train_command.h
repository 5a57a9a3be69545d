// plinth train: a model of its own from plain text.
#pragma once

#include <string>

namespace plinth {

class Command;

// Adds the subcommand; its callback leaves the exit code in `exit_code`.
void add_train_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
