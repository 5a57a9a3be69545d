#include "net/http_server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "net/http/connection.h"
#include "net/http/io_thread.h"
#include "net/tls.h"

namespace plinth::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// For everything that is no connection: databases, logs, workers' links.
constexpr rlim_t kOtherDescriptors = 256;
// Accepting again after the process ran out of descriptors.
constexpr std::chrono::milliseconds kAcceptRetry{100};

// Raises this process's soft limit where it is needed and allowed. Returns how many connections
// fit.
int connections_that_fit(int wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const rlim_t needed = static_cast<rlim_t>(wanted) + kHttpTurnedAwayMax + kOtherDescriptors;
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min(needed, limit.rlim_max);
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= needed) return wanted;
  const auto reserved = kHttpTurnedAwayMax + kOtherDescriptors;
  const int fit = static_cast<int>(std::max<rlim_t>(limit.rlim_cur, reserved + 16) - reserved);
  LOG(warn, "this system grants {} descriptors: {} connections instead of {}", limit.rlim_cur, fit,
      wanted);
  return fit;
}

class Server final : public HttpServer {
 public:
  Server(const HttpServerOptions& options, const base::Clock& clock, HttpHandler handler,
         HttpRefusal refusal)
      : context_(
            std::make_shared<HttpContext>(options, clock, std::move(handler), std::move(refusal))) {
    for (int i = 0; i < std::max(options.io_threads, 1); ++i)
      threads_.push_back(std::make_shared<IoThread>(context_));
    acceptor_ = std::make_unique<tcp::acceptor>(threads_[0]->loop);
    retry_ = std::make_unique<asio::steady_timer>(threads_[0]->loop);
  }

  ~Server() override { drain(std::chrono::milliseconds(0)); }

  void use(std::shared_ptr<TlsIdentity> tls) { context_->tls = std::move(tls); }

  absl::Status start() {
    const auto& options = context_->options;
    connections_max_ = connections_that_fit(options.connections_max);
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) return base::invalid_argument(options.address + ": not an IP address");
    const tcp::endpoint endpoint(address, options.port);
    acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return base::unavailable(
          fmt::format("listen {}:{}: {}", options.address, options.port, error.message()));
    }
    port_ = acceptor_->local_endpoint().port();
    accept();
    for (auto& thread : threads_) thread->start();
    started_ = true;
    return absl::OkStatus();
  }

  std::uint16_t port() const override { return port_; }

  int connections() const override {
    std::lock_guard lock(context_->mutex);
    return context_->connections;
  }

  void drain(std::chrono::milliseconds grace) override {
    if (!started_ || context_->draining.exchange(true)) return;
    asio::post(threads_[0]->loop, [this] {
      error_code ignored;
      acceptor_->close(ignored);
      retry_->cancel();
    });
    for (auto& thread : threads_)
      thread->for_each([](Connection& connection) { connection.drain(); });
    {
      std::unique_lock lock(context_->mutex);
      context_->changed.wait_for(lock, grace, [&] { return context_->busy == 0; });
    }
    // Helpers may still call the handler; what they answer then goes nowhere.
    context_->helpers.join();
    for (auto& thread : threads_) {
      thread->for_each([](Connection& connection) { connection.close(); });
      asio::post(thread->loop, [thread] { thread->finish(); });
    }
    for (auto& thread : threads_) thread->join();
  }

 private:
  void accept() {
    acceptor_->async_accept([this](const error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || context_->draining) return;
      if (!error) admit(std::move(socket));
      if (error == asio::error::no_descriptors || error == asio::error::no_memory || full())
        return accept_later();
      accept();
    });
  }

  void accept_later() {
    retry_->expires_after(kAcceptRetry);
    retry_->async_wait([this](const error_code& error) {
      if (error || context_->draining) return;
      full() ? accept_later() : accept();
    });
  }

  bool full() const {
    std::lock_guard lock(context_->mutex);
    return context_->turned_away >= kHttpTurnedAwayMax;
  }

  void admit(tcp::socket socket) {
    bool surplus = false;
    {
      std::lock_guard lock(context_->mutex);
      const bool room = context_->connections < connections_max_;
      // An evicted connection leaves its place to this one.
      surplus = !room && !evict_longest_idle(*context_);
      if (surplus) ++context_->turned_away;
      if (room) ++context_->connections;
    }
    auto& thread = threads_[next_++ % threads_.size()];
    if (thread == threads_[0]) return begin(thread, std::move(socket), surplus);
    // The descriptor moves to the loop of the thread that will serve it.
    error_code error;
    const auto protocol = socket.local_endpoint(error).protocol();
    const int descriptor = socket.release(error);
    asio::post(thread->loop, [this, thread, protocol, descriptor, surplus] {
      error_code failed;
      tcp::socket moved(thread->loop);
      moved.assign(protocol, descriptor, failed);
      begin(thread, std::move(moved), surplus);
    });
  }

  void begin(const std::shared_ptr<IoThread>& thread, tcp::socket socket, bool surplus) {
    const auto connection =
        std::make_shared<Connection>(std::move(socket), thread, context_, surplus);
    thread->add(connection);
    connection->start();
  }

  const std::shared_ptr<HttpContext> context_;      // shared with threads and connections
  std::vector<std::shared_ptr<IoThread>> threads_;  // shared with their connections
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> retry_;
  int connections_max_ = 0;
  std::size_t next_ = 0;  // of the accepting thread
  std::uint16_t port_ = 0;
  bool started_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpServerOptions& options,
                                                               const base::Clock& clock,
                                                               HttpHandler handler,
                                                               HttpRefusal refusal) {
  auto server = std::make_unique<Server>(options, clock, std::move(handler), std::move(refusal));
  RETURN_IF_ERROR(server->start());
  return std::unique_ptr<HttpServer>(std::move(server));
}

absl::StatusOr<std::unique_ptr<HttpServer>> listen_tls(const HttpServerOptions& options,
                                                       std::shared_ptr<TlsIdentity> tls,
                                                       const base::Clock& clock,
                                                       HttpHandler handler, HttpRefusal refusal) {
  auto server = std::make_unique<Server>(options, clock, std::move(handler), std::move(refusal));
  server->use(std::move(tls));
  RETURN_IF_ERROR(server->start());
  return std::unique_ptr<HttpServer>(std::move(server));
}

std::string_view HttpRequest::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace plinth::net
