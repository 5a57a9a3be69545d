// The ranks of a run as MPI has started them.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "train/messages.h"
#include "train/mpi_functions.h"

namespace plinth::train {

// Of the module at `path`, which stays loaded. NotFound where there is none, FailedPrecondition
// where it, or MPI, cannot be loaded.
absl::StatusOr<const MpiFunctions*> load_mpi(const std::string& path);

// Joins the run; once in a process. Both references outlive it. Ends MPI when destroyed, unless a
// call has failed: then the process is to exit with an error, of which its launcher tells the
// others.
absl::StatusOr<std::unique_ptr<Messages>> join_mpi(const MpiFunctions& mpi,
                                                   const base::Clock& clock);

}  // namespace plinth::train
