#include "net/http/io_thread.h"

#include <boost/asio/post.hpp>

#include "net/http/connection.h"

namespace plinth::net {

IoThread::IoThread(std::shared_ptr<HttpContext> context)
    : context_(std::move(context)), work_(loop.get_executor()), timer_(loop) {}

void IoThread::start() {
  thread_ = std::thread([this] { loop.run(); });
}

void IoThread::join() {
  if (thread_.joinable()) thread_.join();
}

void IoThread::finish() { work_.reset(); }

void IoThread::wake(std::shared_ptr<Connection> connection) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = woken_.empty();
    woken_.push_back(std::move(connection));
  }
  if (first) boost::asio::post(loop, [self = shared_from_this()] { self->flush_woken(); });
}

void IoThread::flush_woken() {
  {
    std::lock_guard lock(mutex_);
    flushing_.swap(woken_);
  }
  for (const auto& connection : flushing_) connection->flush();
  flushing_.clear();
}

void IoThread::for_each(std::function<void(Connection&)> work) {
  boost::asio::post(loop, [self = shared_from_this(), work = std::move(work)] {
    const auto all = self->connections_;  // work may remove some
    for (const auto& connection : all) work(*connection);
  });
}

void IoThread::add(std::shared_ptr<Connection> connection) {
  connections_.insert(std::move(connection));
  if (!ticking_) arm();
}

void IoThread::remove(const std::shared_ptr<Connection>& connection) {
  connections_.erase(connection);
  if (connections_.empty()) timer_.cancel();
}

// An idle server has no timer, and so does nothing at all.
void IoThread::arm() {
  ticking_ = !connections_.empty();
  if (!ticking_) return;
  timer_.expires_after(context_->options.tick);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code&) {
    const auto all = self->connections_;
    const auto now = self->context_->clock.now();
    for (const auto& connection : all) connection->tick(now);
    self->arm();
  });
}

}  // namespace plinth::net
