#include "apps/request_load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <string_view>

#include "apps/serve/load_math.h"
#include "base/file.h"

namespace plinth {

namespace {

using Seconds = std::chrono::duration<double>;

double ms(base::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

struct Connection {
  base::UniqueFd socket;
  std::string unread;
  base::TimePoint due{}, first{};
  bool counts = false, began = false;
};

// True where `bytes` hold a whole answer; an error where it is another than 200.
absl::StatusOr<bool> is_whole(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  const auto head = bytes.substr(0, end + 2);
  if (!head.starts_with("HTTP/1.1 200"))
    return base::unavailable(fmt::format("[bench] a request was refused: {}", bytes));
  std::string lower(head);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  constexpr std::string_view kLength = "\r\ncontent-length: ";
  const auto at = lower.find(kLength);
  if (at == std::string::npos) return bytes.substr(end).ends_with("\r\n0\r\n\r\n");
  std::size_t length = 0;
  std::from_chars(lower.data() + at + kLength.size(), lower.data() + lower.size(), length);
  return bytes.size() >= end + 4 + length;
}

class Client {
 public:
  Client(const RequestLoad& load, const base::Clock& clock)
      : load_(load), clock_(clock), connections_(static_cast<std::size_t>(load.connections)) {
    request_ = fmt::format(
        "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        load.path, load.api_key, load.body.size(), load.body);
    if (load.rate_per_s > 0) {
      const double all_s = load.warm_up_s + load.seconds;
      schedule_ = serve::poisson_schedule(load.seed, load.rate_per_s,
                                          static_cast<int>(all_s * load.rate_per_s * 1.2) + 1);
    }
  }

  absl::StatusOr<RequestLoadResult> run() {
    RETURN_IF_ERROR(connect_all());
    begin_ = clock_.now();
    const auto last = begin_ + to_duration(load_.warm_up_s + load_.seconds);
    for (;;) {
      const auto now = clock_.now();
      if (now < last) RETURN_IF_ERROR(send_due(now));
      if (now >= last && idle_.size() == connections_.size()) break;
      if (now >= last + load_.limit) {
        return absl::DeadlineExceededError(base::to_absl(fmt::format(
            "[bench] {} requests are not answered", connections_.size() - idle_.size())));
      }
      RETURN_IF_ERROR(receive(std::min(wait_until(now), last + load_.limit) - now));
    }
    result_.seconds = Seconds(last_byte_ - begin_).count() - load_.warm_up_s;
    return std::move(result_);
  }

 private:
  static base::Duration to_duration(double seconds) {
    return std::chrono::duration_cast<base::Duration>(Seconds(seconds));
  }

  absl::Status connect_all() {
    poller_ = base::UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!poller_.valid()) return base::errno_status(errno, "[bench] epoll_create1");
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      auto& socket = connections_[i].socket;
      socket = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(load_.port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const int on = 1;
      epoll_event event{EPOLLIN, {.u64 = i}};
      if (!socket.valid() ||
          ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
              0 ||
          ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
          ::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) {
        return base::errno_status(errno, "[bench] connect");
      }
      idle_.push_back(i);
    }
    return absl::OkStatus();
  }

  // When the next one is due, where any is.
  base::TimePoint wait_until(base::TimePoint now) const {
    const auto never = now + std::chrono::milliseconds(100);
    if (load_.rate_per_s <= 0 || next_ >= schedule_.size() || idle_.empty()) return never;
    return std::clamp(begin_ + to_duration(schedule_[next_]), now, never);
  }

  absl::Status send_due(base::TimePoint now) {
    while (!idle_.empty()) {
      auto due = now;
      if (load_.rate_per_s > 0) {
        if (next_ >= schedule_.size()) return absl::OkStatus();
        due = begin_ + to_duration(schedule_[next_]);
        if (due > now) return absl::OkStatus();
        ++next_;
      }
      auto& connection = connections_[idle_.back()];
      idle_.pop_back();
      connection.due = due;
      connection.began = false;
      connection.counts = due >= begin_ + to_duration(load_.warm_up_s);
      if (connection.counts) result_.send_delay_ms.push_back(ms(now - due));
      // An empty socket takes a small request whole.
      if (::send(connection.socket.get(), request_.data(), request_.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request_.size())) {
        return base::errno_status(errno, "[bench] send");
      }
    }
    return absl::OkStatus();
  }

  absl::Status receive(base::Duration wait) {
    const auto ns = std::max<std::int64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count(), 0);
    const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
    std::array<epoll_event, 256> events;
    const int count =
        ::epoll_pwait2(poller_.get(), events.data(), events.size(), &timeout, nullptr);
    for (int i = 0; i < count; ++i)
      RETURN_IF_ERROR(read_from(events[static_cast<std::size_t>(i)].data.u64));
    return absl::OkStatus();
  }

  absl::Status read_from(std::size_t index) {
    auto& connection = connections_[index];
    std::array<char, 16 << 10> piece;
    const auto size = ::recv(connection.socket.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return absl::OkStatus();
    if (size <= 0) return base::unavailable("[bench] a connection was closed");
    const auto now = clock_.now();
    if (!std::exchange(connection.began, true)) connection.first = now;
    connection.unread.append(piece.data(), static_cast<std::size_t>(size));
    ASSIGN_OR_RETURN(const bool whole, is_whole(connection.unread));
    if (!whole) return absl::OkStatus();
    connection.unread.clear();
    idle_.push_back(index);
    last_byte_ = now;
    if (!connection.counts) return absl::OkStatus();
    ++result_.answered;
    result_.first_byte_ms.push_back(ms(connection.first - connection.due));
    result_.last_byte_ms.push_back(ms(now - connection.due));
    return absl::OkStatus();
  }

  const RequestLoad& load_;
  const base::Clock& clock_;
  std::string request_;
  base::UniqueFd poller_;
  std::vector<Connection> connections_;
  std::vector<std::size_t> idle_;
  std::vector<double> schedule_;
  std::size_t next_ = 0;  // of the schedule
  base::TimePoint begin_{}, last_byte_{};
  RequestLoadResult result_;
};

}  // namespace

absl::StatusOr<RequestLoadResult> run_request_load(const RequestLoad& load,
                                                   const base::Clock& clock) {
  return Client(load, clock).run();
}

}  // namespace plinth
