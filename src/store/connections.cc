#include "store/connections.h"

#include "store/limits.h"

namespace plinth::store {

Connections::Connections(std::size_t count, std::function<void(soci::session&)> open)
    : open_(std::move(open)) {
  for (std::size_t i = 0; i < count; ++i) {
    all_.push_back(std::make_unique<Connection>());
    free_.push_back(all_.back().get());
  }
}

absl::StatusOr<Connections::Lease> Connections::take() {
  std::unique_lock lock(mutex_);
  if (!returned_.wait_for(lock, kConnectionWait, [&] { return !free_.empty(); })) {
    return base::unavailable("[store] every connection to the database is busy");
  }
  // The last one that was used: it is open where any is.
  Lease lease(*this, *free_.back());
  Connection& connection = *free_.back();
  free_.pop_back();
  lock.unlock();
  if (!connection.open) {
    connection.statements.clear();
    connection.session.close();
    open_(connection.session);
    connection.open = true;
  }
  return lease;
}

void Connections::give_back(Connection& connection) {
  {
    std::lock_guard lock(mutex_);
    free_.push_back(&connection);
  }
  returned_.notify_one();
}

}  // namespace plinth::store
