// An executor without processes: each worker is a thread that speaks the real link and answers
// from a script. What a fleet does with workers that fail, hang or lie is tested with it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/executor.h"
#include "protocol/generate.h"

namespace plinth::cluster {

enum class FakeWorkerScript {
  serves,            // every call gets one token and its end
  holds,             // calls are admitted, send one token and never end
  swallows,          // calls get no answer at all
  dies_on_call,      // ends when the first call comes, before it answers
  dies_in_answer,    // ends when it has sent one token of the first call
  refuses_to_load,   // says that the file is broken
  dies_at_start,     // ends before it says hello
  never_says_hello,  // runs and keeps silent
  never_gets_ready,  // says hello and then nothing
  sends_garbage,     // says hello, then a frame that is none
  has_old_key,       // says of the first call that its adapter was sealed anew; then serves
};

// Thread-safe. Outlives the fleet that uses it.
class FakeExecutor final : public Executor {
 public:
  FakeExecutor();
  ~FakeExecutor() override;
  // For workers started from now on whose model path ends in `model`.
  void script(const std::string& model, FakeWorkerScript script);
  // Ends a running worker as a crash would. False where none runs.
  bool crash(const std::string& model);
  int starts(const std::string& model) const;
  int running() const;
  // Calls that any worker was told to cancel.
  int cancels() const;
  // Of calls that came to workers, in their order.
  std::vector<protocol::AdapterRef> adapters() const;

  absl::StatusOr<std::unique_ptr<WorkerProcess>> start(const WorkerSpec& spec) override;

 private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;  // with the workers' threads, which may end later
};

}  // namespace plinth::cluster
