// The connections of one database and who has which.
#pragma once

#include <soci/soci.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "store/statements.h"

namespace plinth::store {

struct Connection {
  soci::session session;
  Statements statements{session};  // after the session: they go first
  bool open = false;
};

// Thread-safe.
class Connections {
 public:
  // `open` makes a session ready for use; it may throw.
  Connections(std::size_t count, std::function<void(soci::session&)> open);

  // Returns its connection at the end of its life.
  class Lease {
   public:
    Lease(Connections& pool, Connection& connection) : pool_(&pool), connection_(&connection) {}
    Lease(Lease&& other) noexcept : pool_(other.pool_), connection_(other.connection_) {
      other.connection_ = nullptr;
    }
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_ != nullptr) pool_->give_back(*connection_);
    }
    Connection& operator*() { return *connection_; }
    // The connection broke: whoever has it next opens it again.
    void discard() { connection_->open = false; }

   private:
    Connections* pool_;
    Connection* connection_;
  };

  // Waits for a free one, within kConnectionWait; opening it may throw.
  absl::StatusOr<Lease> take();

 private:
  void give_back(Connection& connection);

  const std::function<void(soci::session&)> open_;
  std::vector<std::unique_ptr<Connection>> all_;  // constant after construction
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Connection*> free_;  // protected by mutex_
};

}  // namespace plinth::store
