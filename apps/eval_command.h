// `plinth eval`: how well a model does on a file of questions, sentences or texts.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// What it returned goes to exit_code.
void add_eval_command(CLI::App& app, const std::string& home, int& exit_code);

}  // namespace plinth
