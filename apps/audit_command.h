// `plinth admin audit`: the audit log on the terminal, and its proof.
#pragma once

#include <string>

namespace plinth {

class Command;

// Below `plinth admin`.
void add_audit_command(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
