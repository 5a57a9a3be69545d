// plinth admin recover: a new admin key for the user whose service it is.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

void add_admin_recover(CLI::App& admin, const std::string& home, int& exit_code);

}  // namespace plinth
