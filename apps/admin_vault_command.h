// `plinth admin vault`, and what is under `plinth admin project` about stored data.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// `admin` has the subcommand "project" already; `home` and `exit_code` outlive it.
void add_admin_vault(CLI::App& admin, const std::string& home, int& exit_code);

}  // namespace plinth
