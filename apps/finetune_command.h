// plinth finetune: from a file of examples to an adapter, and to a model with it.
#pragma once

#include <string>

namespace plinth {

class Command;

// Adds the subcommand; its callback leaves the exit code in `exit_code`.
void add_finetune_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
