// plinth version
#pragma once

namespace plinth {

class Command;

void add_version_command(Command& app);

}  // namespace plinth
