// plinth finetune: from a file of examples to an adapter, and to a model with it.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// Adds the subcommand; its callback leaves the exit code in `exit_code`.
void add_finetune_command(CLI::App& app, const std::string& home, int& exit_code);

}  // namespace plinth
