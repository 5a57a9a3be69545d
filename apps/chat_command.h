// plinth chat: a conversation in the terminal.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

void add_chat_command(CLI::App& app, const std::string& home, int& exit_code);

}  // namespace plinth
