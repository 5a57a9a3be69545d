// `plinth admin user, invite, group, role`: who belongs to the organization and may do what.
#pragma once

#include <string>

namespace plinth {

class Command;

// Below `admin`.
void add_admin_people_commands(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
