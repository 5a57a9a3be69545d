// The connections of a server that wait for their next request, longest first: who has to go when
// one more comes than there is room for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace plinth::net {

class Connection;

// Thread-safe.
class IdleList {
 public:
  using Ticket = std::uint64_t;  // of one stay; never 0

  Ticket enter(std::weak_ptr<Connection> connection) {
    std::lock_guard lock(mutex_);
    waiting_.emplace(++last_, std::move(connection));
    return last_;
  }
  // False where take_longest() was faster.
  bool leave(Ticket ticket) {
    std::lock_guard lock(mutex_);
    return waiting_.erase(ticket) != 0;
  }
  // No connection where none waits.
  std::pair<std::shared_ptr<Connection>, Ticket> take_longest() {
    std::lock_guard lock(mutex_);
    while (!waiting_.empty()) {
      const auto first = waiting_.extract(waiting_.begin());
      if (auto connection = first.mapped().lock()) return {std::move(connection), first.key()};
    }
    return {nullptr, 0};
  }

 private:
  std::mutex mutex_;
  Ticket last_ = 0;                                      // protected by mutex_, as is
  std::map<Ticket, std::weak_ptr<Connection>> waiting_;  // tickets grow: the first is the oldest
};

}  // namespace plinth::net
