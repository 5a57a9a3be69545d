// A peer of tests: the bytes of one connection, as they are.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace plinth::net {

// A blocking client that gives up on a silent server after a while instead of hanging the test.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{30, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // As long as the other side takes some; returns how much it took.
  std::size_t send_while_taken(std::string_view bytes) {
    const auto all = bytes.size();
    pollfd wanted{fd_.get(), POLLOUT, 0};
    while (!bytes.empty() && ::poll(&wanted, 1, 300) == 1) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return all - bytes.size();
  }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_ = base::UniqueFd(); }
  // Until `mark` has come, or the end.
  std::string read_until(std::string_view mark) {
    while (buffer_.find(mark) == std::string::npos && fill()) {
    }
    const auto at = buffer_.find(mark);
    const auto size = at == std::string::npos ? buffer_.size() : at + mark.size();
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }
  std::string read_to_end() {
    while (fill()) {
    }
    return std::exchange(buffer_, {});
  }
  // A whole answer with a content-length.
  std::string read_answer() {
    std::string head = read_until("\r\n\r\n");
    const auto at = head.find("content-length: ");
    const std::size_t size = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    while (buffer_.size() < size && fill()) {
    }
    head += buffer_.substr(0, size);
    buffer_.erase(0, size);
    return head;
  }

 private:
  bool fill() {
    char piece[1 << 16];
    const auto size = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (size > 0) buffer_.append(piece, static_cast<std::size_t>(size));
    return size > 0;
  }
  base::UniqueFd fd_;
  bool connected_ = false;
  std::string buffer_;
};

}  // namespace plinth::net
