// Bytes from one process of a run to another: what a collective is made of where nobody else has
// made it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "train/stretches.h"

namespace plinth::train {

// Of one rank. Messages of one sender and one tag arrive in the order in which they were sent. Not
// thread-safe.
class Messages {
 public:
  virtual ~Messages() = default;

  virtual Place place() const = 0;
  virtual int ranks_here() const = 0;
  // Begin; the bytes stay until wait() returned OK. tag: in [0, kMessageTags).
  virtual absl::Status send(int to, int tag, std::span<const std::byte> bytes) = 0;
  virtual absl::Status receive(int from, int tag, std::span<std::byte> bytes) = 0;
  // Lets those that have begun go on, and does not wait.
  virtual absl::Status move() = 0;
  // Until all that have begun are done. DeadlineExceeded after `bound`, with a rank that does not
  // come; Unavailable where one is known to be gone.
  virtual absl::Status wait(std::chrono::milliseconds bound) = 0;
  virtual void abort() = 0;
};

// The ranks of a run in one process, each for a thread of its own: what tests use. One that is
// destroyed is gone.
std::vector<std::unique_ptr<Messages>> in_process_messages(int ranks);

}  // namespace plinth::train
