#include "net/local_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "net/unix_socket.h"

namespace plinth::net {

namespace {

using std::chrono::milliseconds;

// Connections that wait in the kernel: administrators are few.
constexpr int kBacklog = 8;

// What is left of one exchange's time.
class Deadline {
 public:
  explicit Deadline(milliseconds limit) : end_(base::RealClock().now() + limit) {}
  // Whether `fd` became ready for `events` in time, and before `stop` did (-1 = nothing stops).
  bool wait(int fd, short events, int stop) const {
    for (;;) {
      const auto left =
          std::chrono::duration_cast<milliseconds>(end_ - base::RealClock().now()).count();
      if (left <= 0) return false;
      pollfd both[] = {{fd, events, 0}, {stop, POLLIN, 0}};
      const int ready = ::poll(both, 2, static_cast<int>(left));
      if (ready < 0 && errno != EINTR) return false;
      if (ready > 0 && both[1].revents != 0) return false;
      if (ready > 0) return true;
    }
  }

 private:
  const base::TimePoint end_;
};

bool write_all(int fd, std::string_view text, const Deadline& deadline, int stop) {
  while (!text.empty()) {
    const auto count = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (!deadline.wait(fd, POLLOUT, stop)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

// Until the peer sends no more; nothing where that is too long or too late.
std::optional<std::string> read_all(int fd, std::size_t bytes_max, const Deadline& deadline,
                                    int stop) {
  std::string text;
  char piece[4096];
  for (;;) {
    const auto count = ::recv(fd, piece, sizeof(piece), 0);
    if (count == 0) return text;
    if (count > 0) {
      text.append(piece, static_cast<std::size_t>(count));
      if (text.size() > bytes_max) return std::nullopt;
    } else if (errno == EAGAIN) {
      if (!deadline.wait(fd, POLLIN, stop)) return std::nullopt;
    } else if (errno != EINTR) {
      return std::nullopt;
    }
  }
}

class Listener final : public LocalSocket {
 public:
  Listener(std::string path, LocalSocketOptions options, Handler handler)
      : path_(std::move(path)), options_(std::move(options)), handler_(std::move(handler)) {}
  ~Listener() override {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    // Only a full counter fails, and nobody else counts.
    if (::write(stop_.get(), &one, sizeof(one)) < 0) LOG(warn, "{}: not told to stop", path_);
    thread_.join();
    ::unlink(path_.c_str());
  }

  absl::Status start() {
    ASSIGN_OR_RETURN(const auto address, unix_address(path_));
    ASSIGN_OR_RETURN(socket_, make_unix_socket(SOCK_NONBLOCK));
    stop_ = base::UniqueFd(::eventfd(0, EFD_CLOEXEC));
    if (!stop_.valid()) return base::errno_status(errno, "eventfd");
    ::unlink(path_.c_str());
    // Before bind(), so that there is no moment at which others could open the file.
    if (::fchmod(socket_.get(), 0600) != 0) return base::errno_status(errno, path_);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(socket_.get(), name, sizeof(address)) != 0) return base::errno_status(errno, path_);
    if (::listen(socket_.get(), kBacklog) != 0) return base::errno_status(errno, path_);
    thread_ = std::thread([this] { serve(); });
    return absl::OkStatus();
  }

 private:
  void serve() {
    for (;;) {
      pollfd both[] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      if (::poll(both, 2, -1) < 0 && errno != EINTR) return;
      if (both[1].revents != 0) return;
      const base::UniqueFd peer(
          ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (peer.valid()) answer(peer.get());
    }
  }

  void answer(int fd) {
    const auto peer = options_.peer_of(fd);
    if (!peer.ok() || (peer->uid != ::geteuid() && peer->uid != 0)) {
      LOG(warn, "{}: somebody who is not its owner was hung up on", path_);
      return;
    }
    const Deadline deadline(options_.time_max);
    auto question = read_all(fd, options_.message_bytes_max, deadline, stop_.get());
    if (!question) return;
    const auto text = handler_(*peer, *std::move(question));
    (void)write_all(fd, text, deadline, stop_.get());
  }

  const std::string path_;
  const LocalSocketOptions options_;
  const Handler handler_;
  base::UniqueFd socket_, stop_;
  std::thread thread_;  // last: it uses the fields above
};

}  // namespace

absl::StatusOr<LocalPeer> kernel_peer(int socket) {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return base::errno_status(errno, "SO_PEERCRED");
  return LocalPeer{credentials.uid, credentials.pid};
}

absl::StatusOr<std::unique_ptr<LocalSocket>> LocalSocket::listen(const std::string& path,
                                                                 const LocalSocketOptions& options,
                                                                 Handler handler) {
  auto made = std::make_unique<Listener>(path, options, std::move(handler));
  RETURN_IF_ERROR(made->start());
  return std::unique_ptr<LocalSocket>(std::move(made));
}

absl::StatusOr<std::string> ask_local_socket(const std::string& path, const std::string& question,
                                             const LocalSocketOptions& options) {
  ASSIGN_OR_RETURN(const auto address, unix_address(path));
  ASSIGN_OR_RETURN(const auto fd, make_unix_socket(SOCK_NONBLOCK));
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(fd.get(), name, sizeof(address)) != 0)
    return base::unavailable(fmt::format("{}: {}", path, std::strerror(errno)));
  // Whoever answers may need all of its time.
  const Deadline deadline(options.time_max + milliseconds(1'000));
  if (!write_all(fd.get(), question, deadline, -1) || ::shutdown(fd.get(), SHUT_WR) != 0)
    return base::unavailable(path + ": hung up");
  auto answer = read_all(fd.get(), options.message_bytes_max, deadline, -1);
  if (!answer || answer->empty()) return base::unavailable(path + ": no answer");
  return *std::move(answer);
}

}  // namespace plinth::net
