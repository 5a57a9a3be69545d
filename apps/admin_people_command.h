// `plinth admin user, invite, group, role`: who belongs to the organization and may do what.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

// Below `admin`.
void add_admin_people_commands(CLI::App& admin, const std::string& home, int& exit_code);

}  // namespace plinth
