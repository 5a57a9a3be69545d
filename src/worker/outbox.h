// What a worker has to say. The events of a step collect and go as one message when it is over; all
// else goes at once.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "net/rpc_link.h"
#include "protocol/codec.h"
#include "worker/gathered_events.h"

namespace plinth::worker {

// Thread-safe. A link that is closed takes nothing any more, which its reader learns, too.
class Outbox {
 public:
  explicit Outbox(net::RpcLink& link) : link_(link) {}

  void events(protocol::CallId call, std::vector<protocol::GenerateEvent> events) {
    collect(call, std::move(events));
    flush();
  }
  // Where an engine puts the events of a call, which go with the next flush().
  std::function<void(std::vector<protocol::GenerateEvent>)> sink(protocol::CallId call,
                                                                 bool gathered,
                                                                 const base::Clock& clock) {
    if (!gathered) return [this, call](auto made) { collect(call, std::move(made)); };
    return [this, call, kept = GatheredEvents(clock)](auto made) mutable {
      auto due = kept.add(std::move(made));
      if (!due.empty()) collect(call, std::move(due));
    };
  }
  void flush() {
    std::lock_guard lock(mutex_);
    if (step_.calls.empty()) return;
    // Under the lock: a call's events go in their order, whoever sends them.
    (void)link_.send(encode(protocol::ToGateway(std::exchange(step_, {}))));
  }
  void message(const protocol::ToGateway& message) { (void)link_.send(encode(message)); }

 private:
  void collect(protocol::CallId call, std::vector<protocol::GenerateEvent> events) {
    std::lock_guard lock(mutex_);
    step_.calls.push_back({call, std::move(events)});
  }

  net::RpcLink& link_;
  std::mutex mutex_;
  protocol::Step step_;  // protected by mutex_
};

}  // namespace plinth::worker
