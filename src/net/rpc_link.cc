#include "net/rpc_link.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <list>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "net/socket_link.h"
#include "net/unix_socket.h"

namespace plinth::net {

namespace {

// Between tries to dial, while nobody listens yet.
constexpr std::chrono::milliseconds kDialPause{10};
constexpr int kBacklog = 64;

class Server final : public RpcServer {
 public:
  Server(const RpcOptions& options, std::function<void(RpcLink&)> serve)
      : options_(options), serve_(std::move(serve)) {}
  ~Server() override {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (acceptor_.joinable()) acceptor_.join();
    for (auto& served : links_) served.link->close();
    for (auto& served : links_) served.thread.join();
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  absl::Status start(const std::string& path) {
    ASSIGN_OR_RETURN(const auto address, unix_address(path));
    ASSIGN_OR_RETURN(listener_, make_unix_socket());
    ::unlink(path.c_str());
    // Before the file is there, so that it never is for others.
    if (::fchmod(listener_.get(), 0600) != 0 ||
        ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
            0 ||
        ::chmod(path.c_str(), 0600) != 0 || ::listen(listener_.get(), kBacklog) != 0) {
      return base::errno_status(errno, path);
    }
    path_ = path;
    acceptor_ = std::thread([this] { accept(); });
    return absl::OkStatus();
  }

 private:
  struct Served {
    std::unique_ptr<SocketLink> link;
    std::atomic<bool> over{false};
    std::thread thread;
  };

  void accept() {
    while (!stopping_) {
      base::UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      drop_ended();
      if (!socket.valid()) {
        // Out of descriptors, say: it may pass.
        if (!stopping_) std::this_thread::sleep_for(kDialPause);
        continue;
      }
      auto& served = links_.emplace_back();
      served.link = std::make_unique<SocketLink>(std::move(socket), options_);
      served.thread = std::thread([this, &served] {
        serve_(*served.link);
        served.link->close();
        served.over = true;
      });
    }
  }
  void drop_ended() {
    for (auto it = links_.begin(); it != links_.end();) {
      const bool over = it->over;
      if (over) it->thread.join();
      it = over ? links_.erase(it) : std::next(it);
    }
  }

  const RpcOptions options_;
  const std::function<void(RpcLink&)> serve_;
  std::string path_;
  base::UniqueFd listener_;
  std::atomic<bool> stopping_{false};
  std::list<Served> links_;  // the acceptor's, until it ends
  std::thread acceptor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::listen(const std::string& path,
                                                             const RpcOptions& options,
                                                             std::function<void(RpcLink&)> serve) {
  auto server = std::make_unique<Server>(options, std::move(serve));
  RETURN_IF_ERROR(server->start(path));
  return std::unique_ptr<RpcServer>(std::move(server));
}

absl::StatusOr<std::unique_ptr<RpcLink>> dial_rpc(const std::string& path,
                                                  const RpcOptions& options) {
  ASSIGN_OR_RETURN(const auto address, unix_address(path));
  const base::RealClock clock;
  const auto end = clock.now() + options.dial_max;
  do {
    ASSIGN_OR_RETURN(auto socket, make_unix_socket());
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
        0) {
      return std::unique_ptr<RpcLink>(std::make_unique<SocketLink>(std::move(socket), options));
    }
    std::this_thread::sleep_for(kDialPause);
  } while (clock.now() < end);
  return base::unavailable(path + ": nobody answers");
}

}  // namespace plinth::net
