// `plinth admin vault`, and what is under `plinth admin project` about stored data.
#pragma once

#include <string>

namespace plinth {

class Command;

// `admin` has the subcommand "project" already; `home` and `exit_code` outlive it.
void add_admin_vault(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
