// plinth admin backup, restore, verify
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

void add_admin_backup(CLI::App& admin, const std::string& home, int& exit_code);

}  // namespace plinth
