// plinth completion bash|zsh|fish: a script made of the command tree itself.
#pragma once

namespace plinth {

class Command;

// Added last: its script covers the commands that `app` has when it runs.
void add_completion_command(Command& app);

}  // namespace plinth
