// What a worker has to say, gathered from any thread and sent by one: while a frame is on its way
// the events of a whole step collect, and go as one message.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "net/rpc_link.h"
#include "protocol/codec.h"
#include "worker/gathered_events.h"

namespace plinth::worker {

class Outbox {
 public:
  // A gateway that takes nothing while this many events collect is lost: the link is closed.
  static constexpr std::size_t kEventsMax = 1u << 20;

  explicit Outbox(net::RpcLink& link) : link_(link), sender_([this] { run(); }) {}
  ~Outbox() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    sender_.join();
  }

  void events(protocol::CallId call, std::vector<protocol::GenerateEvent> events) {
    std::lock_guard lock(mutex_);
    held_ += events.size();
    step_.calls.push_back({call, std::move(events)});
    if (held_ > kEventsMax) link_.close();
    changed_.notify_one();
  }
  // Where an engine puts the events of a call.
  std::function<void(std::vector<protocol::GenerateEvent>)> sink(protocol::CallId call,
                                                                 bool gathered,
                                                                 const base::Clock& clock) {
    if (!gathered) return [this, call](auto made) { events(call, std::move(made)); };
    return [this, call, kept = GatheredEvents(clock)](auto made) mutable {
      auto due = kept.add(std::move(made));
      if (!due.empty()) events(call, std::move(due));
    };
  }
  void message(protocol::ToGateway message) {
    std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    changed_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopping_ || !messages_.empty() || !step_.calls.empty(); });
      auto messages = std::exchange(messages_, {});
      auto step = std::exchange(step_, {});
      held_ = 0;
      const bool last = stopping_;
      lock.unlock();
      bool sent = true;
      for (const auto& message : messages) sent = sent && link_.send(encode(message)).ok();
      if (!step.calls.empty())
        sent = sent && link_.send(encode(protocol::ToGateway(std::move(step)))).ok();
      lock.lock();
      if (last || !sent) return;
    }
  }

  net::RpcLink& link_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<protocol::ToGateway> messages_;  // protected by mutex_, as are the following
  protocol::Step step_;
  std::size_t held_ = 0;
  bool stopping_ = false;
  std::thread sender_;  // last: it uses the fields above
};

}  // namespace plinth::worker
