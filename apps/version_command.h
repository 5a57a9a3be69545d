// plinth version
#pragma once

#include <CLI/App.hpp>

namespace plinth {

void add_version_command(CLI::App& app);

}  // namespace plinth
