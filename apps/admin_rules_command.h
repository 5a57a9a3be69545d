// `plinth admin model-access, alert, certificate`: which models a project calls, who is told of
// what it spends, whose clients' certificates it takes.
#pragma once

#include <string>

namespace plinth {

class Command;

// Below `admin`.
void add_admin_rules_commands(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
