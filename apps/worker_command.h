// plinth worker: one model's process. `plinth up` starts it; people have no need to.
#pragma once

namespace plinth {

class Command;

void add_worker_command(Command& app, int& exit_code);

}  // namespace plinth
