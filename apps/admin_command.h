// `plinth admin`: projects, keys, limits, budgets, prices and usage from the terminal.
#pragma once

#include <string>

namespace plinth {

class Command;

void add_admin_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
