#include "apps/ranks.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "apps/command_line.h"
#include "apps/ranks_launcher.h"
#include "apps/stop_signals.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "train/agreement.h"
#include "train/message_collective.h"
#include "train/mpi_messages.h"

namespace plinth {

namespace {

constexpr int kRanksMax = 256;  // on one machine: past any machine's processors

absl::StatusOr<const train::MpiFunctions*> mpi() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  auto loaded = train::load_mpi(program.parent_path().string() + "/plinth_mpi.so");
  if (!absl::IsNotFound(loaded.status())) return loaded;
  return base::failed_precondition(
      "this build has no MPI, which several ranks need: install openmpi-bin and libopenmpi-dev "
      "(tools/setup/install does it) and build again");
}

absl::StatusOr<std::unique_ptr<train::Collective>> join(const RankedCommand& command,
                                                        const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto* functions, mpi());
  ASSIGN_OR_RETURN(auto messages, train::join_mpi(*functions, clock));
  const int ranks = messages->place().ranks;
  auto collective = train::collective_of(std::move(messages));
  if (command.ranks == 0 || command.ranks == ranks) return collective;
  return base::invalid_argument(fmt::format(
      "--ranks {}, but {} were started: leave --ranks to the launcher", command.ranks, ranks));
}

int run_as_rank(const RankedCommand& command) {
  // A launcher that dies leaves nobody behind; SIGUSR1 is what mpirun passes on.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  listen_for_stop_by(SIGUSR1);
  const base::RealClock clock;
  const auto ranks = join(command, clock);
  if (!ranks.ok()) return report(ranks.status());
  auto status = command.run(**ranks);
  if (!train::is_agreed(status)) status = train::agree(**ranks, status);
  const int rank = (*ranks)->place().rank;
  if (status.ok()) return 0;
  if (train::is_agreed(status)) return rank == 0 ? report(status) : 0;
  report(base::annotate(status, fmt::format("rank {}", rank)));
  (*ranks)->abort();
  return 1;
}

absl::Status start_ranks(const RankedCommand& command) {
  RETURN_IF_ERROR(mpi().status());
  if (command.prepare) RETURN_IF_ERROR(command.prepare());
  return launch_ranks(command.ranks);
}

}  // namespace

void add_rank_options(Command& command, int& threads, int& ranks) {
  command.add_option("--threads", threads, "Of each rank")->range(0, 1024);
  command.add_option("--ranks", ranks, "Processes that share each step's batch")
      ->range(1, kRanksMax);
}

bool is_rank() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

int run_ranked(const RankedCommand& command) {
  if (is_rank()) return run_as_rank(command);
  const auto status = command.ranks > 1 ? start_ranks(command) : command.run(*train::alone());
  if (status.ok()) return 0;
  // What a rank has said is not said again.
  return status.message().empty() ? 1 : report(status);
}

}  // namespace plinth
