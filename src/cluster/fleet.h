// The workers of one gateway: a process for each loaded model, started on first use, restarted
// with back-off, unloaded least recently used first within a memory budget.
//
//   auto fleet = Fleet::create(options, library, executor, clock, metrics);
//   fleet->load("smollm2");            // pinned: loaded now, and again whenever it dies
//   fleet->generate(request, sink);    // any installed model
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "cluster/adapter_install.h"
#include "cluster/executor.h"
#include "cluster/model_library.h"
#include "cluster/model_service.h"

namespace plinth::cluster {

struct FleetOptions {
  std::string run_folder;                               // holds the socket that workers dial
  std::string log_folder;                               // one log a model
  std::vector<std::string> worker_arguments;            // after "worker --socket S --model-path P"
  std::uint64_t memory_bytes = 0;                       // for all workers together; 0 = unbounded
  std::uint64_t kv_bytes = 0;                           // that each worker takes beside its weights
  std::size_t queue_max = 1024;                         // calls waiting for one model to load
  base::Duration lease_max = std::chrono::seconds(10);  // silence that means death
  base::Duration load_max = std::chrono::seconds(600);  // from start to ready
  base::Duration backoff_first = std::chrono::milliseconds(250);
  base::Duration backoff_max = std::chrono::seconds(60);
  OpenSealed open_sealed;  // null = adapters that are sealed are refused
};

// Thread-safe.
class Fleet : public ModelService {
 public:
  // The references outlive the fleet.
  static absl::StatusOr<std::unique_ptr<Fleet>> create(const FleetOptions& options,
                                                       const ModelLibrary& library,
                                                       Executor& executor, const base::Clock& clock,
                                                       base::Metrics& metrics);
  // Loads and keeps a model; returns when it is ready, or with the reason why it cannot be.
  virtual absl::Status load(const std::string& name) = 0;
  // From now on ready() holds.
  virtual void set_ready() = 0;
  // Refuses new calls and waits for the running ones, `grace` at most; the rest end Unavailable.
  virtual void drain(base::Duration grace) = 0;
};

}  // namespace plinth::cluster
