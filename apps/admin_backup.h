// plinth admin backup, restore, verify
#pragma once

#include <string>

namespace plinth {

class Command;

void add_admin_backup(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
