// plinth chat: a conversation in the terminal.
#pragma once

#include <string>

namespace plinth {

class Command;

void add_chat_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
