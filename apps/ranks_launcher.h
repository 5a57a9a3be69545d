// Starts the ranks of this very command on this machine, by Open MPI's mpirun, and stays with them.
#pragma once

#include "base/status.h"

namespace plinth {

// Until all have ended: their output is this process's, and they can reach nothing outside the
// machine where the kernel lets a process have a network of its own. SIGINT and SIGTERM ask all of
// them to stop. NotFound where there is no mpirun; Aborted names the rank that died of a signal, or
// has no message where a rank has said what is wrong.
absl::Status launch_ranks(int ranks);

}  // namespace plinth
