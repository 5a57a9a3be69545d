// plinth worker: one model's process. `plinth up` starts it; people have no need to.
#pragma once

#include <CLI/App.hpp>

namespace plinth {

void add_worker_command(CLI::App& app, int& exit_code);

}  // namespace plinth
