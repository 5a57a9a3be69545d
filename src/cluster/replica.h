// One model's worker as its gateway sees it. Every field is protected by the fleet's mutex.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cluster/executor.h"
#include "cluster/fleet_call.h"
#include "cluster/model_library.h"
#include "net/rpc_link.h"

namespace plinth::cluster {

enum class ReplicaState { absent, starting, ready, unloading };

struct Replica {
  explicit Replica(std::string of) : name(std::move(of)) {}
  const std::string name;
  ReplicaState state = ReplicaState::absent;
  bool pinned = false;
  std::optional<InstallStamp> installed;   // what the worker has loaded
  bool outdated = false;                   // removed or replaced since: no new calls
  std::string token;                       // of the worker that is starting or running
  std::unique_ptr<WorkerProcess> process;  // touched by the supervisor alone
  net::RpcLink* link = nullptr;            // while its thread serves it
  std::map<protocol::CallId, std::shared_ptr<FleetCall>> calls;  // sent to the worker
  std::deque<std::shared_ptr<FleetCall>> waiting;                // until it is ready
  base::TimePoint started, heard, used, retry;
  int failures = 0;         // in a row
  absl::Status last_error;  // why the last worker is gone
  std::uint64_t bytes = 0;  // estimate of what the worker takes
  std::int32_t context_tokens = 0;
  protocol::Heartbeat beat;  // the last one

  // A link never waits. Where there is none, its end is about to be noticed.
  void send(const protocol::ToWorker& message) {
    if (link != nullptr) (void)link->send(encode(message));
  }
  bool live() const { return process != nullptr; }
  bool idle() const { return calls.empty() && waiting.empty(); }
};

}  // namespace plinth::cluster
