#include "net/rpc_link.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "net/unix_socket.h"

namespace plinth::net {

namespace {

// A frame is its length, four bytes of this machine's own order, and so many bytes.
using Length = std::uint32_t;
// Read at once: many frames of a busy link in one call.
constexpr std::size_t kReadBytes = 64u << 10;
// Between tries to dial, while nobody listens yet.
constexpr std::chrono::milliseconds kDialPause{10};
constexpr int kBacklog = 64;

class SocketLink final : public RpcLink {
 public:
  SocketLink(base::UniqueFd socket, std::size_t frame_bytes_max)
      : socket_(std::move(socket)), frame_bytes_max_(frame_bytes_max) {}

  absl::Status send(const std::string& frame) override {
    if (frame.size() > UINT32_MAX) return base::invalid_argument("[rpc] a frame is too long");
    const auto length = static_cast<Length>(frame.size());
    std::string_view head(reinterpret_cast<const char*>(&length), sizeof(length)), body(frame);
    std::lock_guard lock(write_mutex_);
    while (!head.empty() || !body.empty()) {
      iovec parts[] = {{const_cast<char*>(head.data()), head.size()},
                       {const_cast<char*>(body.data()), body.size()}};
      msghdr message{};
      message.msg_iov = parts;
      message.msg_iovlen = 2;
      const auto sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return base::unavailable("[rpc] the link is closed");
      const auto of_head = std::min(static_cast<std::size_t>(sent), head.size());
      head.remove_prefix(of_head);
      body.remove_prefix(static_cast<std::size_t>(sent) - of_head);
    }
    return absl::OkStatus();
  }

  std::optional<std::string> receive() override {
    Length length = 0;
    if (!read_exactly(reinterpret_cast<char*>(&length), sizeof(length))) return std::nullopt;
    if (length > frame_bytes_max_) {
      close();
      return std::nullopt;
    }
    std::string frame(length, '\0');
    if (!read_exactly(frame.data(), frame.size())) return std::nullopt;
    return frame;
  }

  // The descriptor stays until nobody uses it any more.
  void close() override { ::shutdown(socket_.get(), SHUT_RDWR); }

 private:
  bool read_exactly(char* out, std::size_t size) {
    while (size > 0) {
      if (unread_.empty() && !read_some()) return false;
      const auto count = std::min(size, unread_.size());
      std::memcpy(out, unread_.data(), count);
      unread_.remove_prefix(count);
      out += count;
      size -= count;
    }
    return true;
  }
  bool read_some() {
    buffer_.resize(kReadBytes);
    ssize_t count = 0;
    do {
      count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    } while (count < 0 && errno == EINTR);
    unread_ =
        std::string_view(buffer_).substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return count > 0;
  }

  const base::UniqueFd socket_;
  const std::size_t frame_bytes_max_;
  std::mutex write_mutex_;  // a frame is written whole
  std::string buffer_;      // of receive(), as is the following
  std::string_view unread_;
};

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
      served.link = std::make_unique<SocketLink>(std::move(socket), options_.frame_bytes_max);
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
      return std::unique_ptr<RpcLink>(
          std::make_unique<SocketLink>(std::move(socket), options.frame_bytes_max));
    }
    std::this_thread::sleep_for(kDialPause);
  } while (clock.now() < end);
  return base::unavailable(path + ": nobody answers");
}

}  // namespace plinth::net
