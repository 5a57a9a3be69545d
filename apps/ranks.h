// The processes of one run of training: this one alone, those of which a launcher (mpirun, srun)
// has started this one, or those that it starts itself.
#pragma once

#include <functional>

#include "base/status.h"
#include "train/collective.h"

namespace plinth {

class Command;

struct RankedCommand {
  int ranks = 0;  // that were asked for; 0: as many as the launcher has started, or one
  // By the process that starts others, before it does: what needs a network.
  std::function<absl::Status()> prepare;
  // The command itself, on every rank. Rank 0 alone speaks and writes.
  std::function<absl::Status(train::Collective& ranks)> run;
};

// Returns the exit code of the process. Where ranks were started, those of a rank that died are
// stopped, and it is said how.
int run_ranked(const RankedCommand& command);

// --threads and --ranks.
void add_rank_options(Command& command, int& threads, int& ranks);

// One of several that a launcher has started.
bool is_rank();

}  // namespace plinth
