// plinth doctor
#pragma once

#include <string>

namespace plinth {

class Command;

void add_doctor_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
