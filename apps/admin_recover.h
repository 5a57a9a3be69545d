// plinth admin recover: a new admin key for the user whose service it is.
#pragma once

#include <string>

namespace plinth {

class Command;

void add_admin_recover(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
