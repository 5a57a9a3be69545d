// plinth train: a model of its own from plain text.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// Adds the subcommand; its callback leaves the exit code in `exit_code`.
void add_train_command(CLI::App& app, const std::string& home, int& exit_code);

}  // namespace plinth
