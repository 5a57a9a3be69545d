// `plinth admin`: projects, keys, limits, budgets, prices and usage from the terminal.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

void add_admin_command(CLI::App& app, const std::string& home, int& exit_code);

}  // namespace plinth
