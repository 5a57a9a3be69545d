// `plinth admin model-access, alert, certificate`: which models a project calls, who is told of
// what it spends, whose clients' certificates it takes.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// Below `admin`.
void add_admin_rules_commands(CLI::App& admin, const std::string& home, int& exit_code);

}  // namespace plinth
