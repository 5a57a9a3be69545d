#include "net/socket_link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace plinth::net {

namespace {

// A frame is its length, four bytes of this machine's own order, and so many bytes.
using Length = std::uint32_t;
// Read at once: many frames of a busy link in one call.
constexpr std::size_t kReadBytes = 64u << 10;

absl::Status closed() { return base::unavailable("[rpc] the link is closed"); }

}  // namespace

SocketLink::SocketLink(base::UniqueFd socket, const RpcOptions& options)
    : socket_(std::move(socket)), options_(options) {}

SocketLink::~SocketLink() {
  close();
  if (sender_.joinable()) sender_.join();
}

absl::Status SocketLink::send(const std::string& frame) {
  if (frame.size() > UINT32_MAX) return base::invalid_argument("[rpc] a frame is too long");
  const auto length = static_cast<Length>(frame.size());
  std::string_view head(reinterpret_cast<const char*>(&length), sizeof(length)), body(frame);
  std::lock_guard lock(write_mutex_);
  if (closed_) return closed();
  if (unsent_.empty() && !send_now(head, body)) return closed();
  return keep(head, body);
}

// Called with write_mutex_ held, as is send_now().
absl::Status SocketLink::keep(std::string_view head, std::string_view body) {
  if (head.empty() && body.empty()) return absl::OkStatus();
  if (unsent_.size() - unsent_at_ + head.size() + body.size() > options_.unsent_bytes_max) {
    closed_ = true;
    ::shutdown(socket_.get(), SHUT_RDWR);
    changed_.notify_one();
    return base::unavailable("[rpc] the peer takes nothing: the link is closed");
  }
  // What is sent is given up now and then, or a peer that is always behind would keep it all.
  if (unsent_at_ > unsent_.size() / 2) unsent_.erase(0, std::exchange(unsent_at_, 0));
  unsent_.append(head).append(body);
  if (!sender_.joinable()) sender_ = std::thread([this] { send_rest(); });
  changed_.notify_one();
  return absl::OkStatus();
}

// Takes from both what the socket takes without waiting. False where the peer is gone.
bool SocketLink::send_now(std::string_view& head, std::string_view& body) {
  while (!head.empty() || !body.empty()) {
    iovec parts[] = {{const_cast<char*>(head.data()), head.size()},
                     {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const auto sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    const auto of_head = std::min(static_cast<std::size_t>(sent), head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<std::size_t>(sent) - of_head);
  }
  return true;
}

void SocketLink::send_rest() {
  std::unique_lock lock(write_mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closed_ || !unsent_.empty(); });
    if (closed_) return;
    lock.unlock();
    pollfd writable{socket_.get(), POLLOUT, 0};
    (void)::poll(&writable, 1, -1);  // close() ends it, too
    lock.lock();
    std::string_view rest = std::string_view(unsent_).substr(unsent_at_), none;
    if (closed_ || !send_now(rest, none)) return;
    unsent_at_ = unsent_.size() - rest.size();
    if (!rest.empty()) continue;
    unsent_ = {};
    unsent_at_ = 0;
  }
}

std::optional<std::string> SocketLink::receive() {
  Length length = 0;
  if (!read_exactly(reinterpret_cast<char*>(&length), sizeof(length))) return std::nullopt;
  if (length > options_.frame_bytes_max) {
    close();
    return std::nullopt;
  }
  std::string frame(length, '\0');
  if (!read_exactly(frame.data(), frame.size())) return std::nullopt;
  return frame;
}

void SocketLink::close() {
  std::lock_guard lock(write_mutex_);
  closed_ = true;
  ::shutdown(socket_.get(), SHUT_RDWR);
  changed_.notify_one();
}

bool SocketLink::read_exactly(char* out, std::size_t size) {
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

bool SocketLink::read_some() {
  buffer_.resize(kReadBytes);
  ssize_t count = 0;
  do {
    count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
  } while (count < 0 && errno == EINTR);
  unread_ =
      std::string_view(buffer_).substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return count > 0;
}

}  // namespace plinth::net
