// plinth completion bash|zsh|fish: a script made of the command tree itself.
#pragma once

#include <CLI/App.hpp>

namespace plinth {

// Added last: its script covers the commands that `app` has when it runs.
void add_completion_command(CLI::App& app);

}  // namespace plinth
