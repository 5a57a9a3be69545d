// One thread of the server with its event loop, and the connections that live on it: everything
// about a connection happens on its thread, so that none of it needs a lock.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "net/http/idle_list.h"
#include "net/http_server.h"
#include "net/tls.h"

namespace plinth::net {

class Connection;

// What the connections of a server share; outlives them.
struct HttpContext {
  HttpContext(const HttpServerOptions& of, const base::Clock& time, HttpHandler handle,
              HttpRefusal refuse)
      : options(of), clock(time), handler(std::move(handle)), refusal(std::move(refuse)) {}
  // Constant after construction.
  const HttpServerOptions options;
  const base::Clock& clock;
  const HttpHandler handler;
  const HttpRefusal refusal;

  std::shared_ptr<TlsIdentity> tls;  // null: plain HTTP; set before the first connection, shared
                                     // with whoever reloads it

  boost::asio::thread_pool helpers{1};       // handlers of large bodies
  std::atomic<std::uint64_t> body_bytes{0};  // being read, all connections together
  std::atomic<bool> draining{false};
  IdleList idle;

  std::mutex mutex;
  std::condition_variable changed;
  int connections = 0;  // protected by mutex, as are the following
  int turned_away = 0;  // beyond connections_max
  int busy = 0;         // connections with a request in progress
};

class IoThread : public std::enable_shared_from_this<IoThread> {
 public:
  explicit IoThread(std::shared_ptr<HttpContext> context);
  void start();
  // Waits for the thread, which ends once nothing is left to do.
  void join();

  // From any thread: `connection` has something to send. Wake-ups until the thread gets to them
  // cost one event together.
  void wake(std::shared_ptr<Connection> connection);
  // From any thread: runs `work` for each connection.
  void for_each(std::function<void(Connection&)> work);

  // On the thread.
  void add(std::shared_ptr<Connection> connection);
  void remove(const std::shared_ptr<Connection>& connection);
  // No more connections come: the thread may end with the last one.
  void finish();

  boost::asio::io_context loop{1};
  std::array<char, 64u << 10> scratch;  // for reading; of the thread

 private:
  void arm();
  void flush_woken();

  const std::shared_ptr<HttpContext> context_;  // shared with every thread and connection
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_;
  bool ticking_ = false;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Connection>> flushing_;

  std::mutex mutex_;
  std::vector<std::shared_ptr<Connection>> woken_;  // protected by mutex_
  std::thread thread_;
};

}  // namespace plinth::net
