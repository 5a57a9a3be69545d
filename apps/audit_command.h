// `plinth admin audit`: the audit log on the terminal, and its proof.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// Below `plinth admin`.
void add_audit_command(CLI::App& admin, const std::string& home, int& exit_code);

}  // namespace plinth
