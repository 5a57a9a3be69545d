// `plinth admin deployment|policy|blocklist|model-version|throughput`.
#pragma once

#include <string>

namespace plinth {

class Command;

// `admin` is the command that these become subcommands of; `home` and `exit_code` outlive it.
void add_deployment_commands(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
