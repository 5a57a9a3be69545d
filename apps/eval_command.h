// `plinth eval`: how well a model does on a file of questions, sentences or texts.
#pragma once

#include <string>

namespace plinth {

class Command;

// What it returned goes to exit_code.
void add_eval_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
