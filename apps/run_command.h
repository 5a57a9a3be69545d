// plinth run "prompt": one answer on standard output.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

void add_run_command(CLI::App& app, const std::string& home, int& exit_code);

}  // namespace plinth
