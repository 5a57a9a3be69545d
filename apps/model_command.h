// plinth model pull/list/show/verify/rm/import
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// Adds the subcommand; its callback leaves the exit code in `exit_code`.
void add_model_command(CLI::App& app, const std::string& home, int& exit_code);

}  // namespace plinth
