// What the processes of one run do together, their ranks being 0, 1, ...: the border to MPI, and to
// whatever links devices later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"
#include "train/stretches.h"

namespace plinth::train {

// Every rank makes the same calls in the same order, with arrays of the same size; a call may wait
// for the others, but not for ever. An error (Unavailable: a rank is gone; DeadlineExceeded: one
// does not come) leaves nothing that can go on: abort() is the only call after it. Not thread-safe.
class Collective {
 public:
  virtual ~Collective() = default;

  virtual Place place() const = 0;
  // How many of them share this machine, this one included.
  virtual int ranks_here() const = 0;

  // Begins to sum `values` over all ranks. After finish() each rank has the sums of its own stretch
  // (stretches.h) there, added in the order of the ranks: the same bits every time. Until then the
  // array stays, and nobody writes it.
  virtual absl::Status begin_reduce_scatter_sum(std::span<float> values) = 0;
  // Of everything that was begun.
  virtual absl::Status finish() = 0;
  // Each rank's own stretch, to all.
  virtual absl::Status all_gather(std::span<float> values) = 0;
  // Few numbers, in the order of the ranks: all ranks have the same bits.
  virtual absl::Status all_reduce_sum(std::span<double> values) = 0;
  // Those of the rank `root`, to all.
  virtual absl::Status broadcast(std::span<std::byte> bytes, int root) = 0;
  // Ends the other ranks, too, where that can be done.
  virtual void abort() = 0;

  // Returns once all ranks have called it.
  absl::Status barrier() {
    double nothing = 0;
    return all_reduce_sum({&nothing, 1});
  }
};

// One rank: nothing to do.
std::unique_ptr<Collective> alone();

}  // namespace plinth::train
