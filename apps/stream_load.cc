#include "apps/stream_load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace plinth {

namespace {

struct Stream {
  base::UniqueFd socket;
  std::string unread;  // of the event that is not complete
  std::int64_t chunks = 0, tokens = 0;
  bool started = false, done = false;
};

// Every token is the letter a, so that each is a chunk of its own: half characters are held back.
std::string request_bytes(const StreamLoad& load) {
  const base::json::object body{
      {"model", load.model},
      {"messages", base::json::array{{{"role", "user"}, {"content", "hello"}}}},
      {"stream", true},
      {"stream_options", {{"include_usage", true}}},
      {"max_tokens", load.tokens},
      {"ignore_eos", true},
      {"temperature", 0},
      {"logit_bias", {{"97", 100}}}};
  const auto text = base::to_json(body);
  return fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      load.api_key, text.size(), text);
}

absl::StatusOr<base::UniqueFd> connect_to(std::uint16_t port) {
  base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!socket.valid() ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return base::errno_status(errno, "[bench] connect");
  }
  return socket;
}

// Takes the complete events out of what has come.
absl::Status read_events(Stream& stream) {
  std::string_view rest = stream.unread;
  for (auto end = rest.find("\n\n"); end != std::string_view::npos; end = rest.find("\n\n")) {
    const auto event = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    stream.started = true;
    if (event.find(R"("delta":{"content":)") != std::string_view::npos) ++stream.chunks;
    if (event.find(R"("error":)") != std::string_view::npos)
      return base::unavailable(fmt::format("[bench] a stream failed: {}", event));
    constexpr std::string_view kUsage = R"("completion_tokens":)";
    const auto usage = event.find(kUsage);
    if (usage != std::string_view::npos)
      stream.tokens = std::atoll(std::string(event.substr(usage + kUsage.size(), 12)).c_str());
    if (event.ends_with("data: [DONE]")) stream.done = true;
  }
  stream.unread.erase(0, stream.unread.size() - rest.size());
  if (!stream.started && stream.unread.starts_with("HTTP/1.1 ") &&
      !stream.unread.starts_with("HTTP/1.1 200")) {
    return base::unavailable(fmt::format("[bench] a stream was refused: {}", stream.unread));
  }
  return absl::OkStatus();
}

absl::Status open_streams(const StreamLoad& load, int poller, std::vector<Stream>& streams) {
  const auto request = request_bytes(load);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    ASSIGN_OR_RETURN(streams[i].socket, connect_to(load.port));
    epoll_event event{EPOLLIN, {.u64 = i}};
    if (::epoll_ctl(poller, EPOLL_CTL_ADD, streams[i].socket.get(), &event) != 0)
      return base::errno_status(errno, "[bench] epoll_ctl");
    // An empty socket takes a small request whole.
    if (::send(streams[i].socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      return base::errno_status(errno, "[bench] send");
    }
  }
  return absl::OkStatus();
}

// Reads one stream once; true when it is over.
absl::StatusOr<bool> read_stream(Stream& stream, std::size_t number, int wanted) {
  std::array<char, 64 << 10> piece;
  const auto size = ::recv(stream.socket.get(), piece.data(), piece.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (size <= 0) return base::unavailable(fmt::format("[bench] stream {} was cut short", number));
  stream.unread.append(piece.data(), static_cast<std::size_t>(size));
  RETURN_IF_ERROR(read_events(stream));
  if (!stream.done) return false;
  if (stream.tokens != wanted) {
    return base::data_loss(
        fmt::format("[bench] stream {} ended with {} of {} tokens", number, stream.tokens, wanted));
  }
  stream.socket.reset();
  return true;
}

}  // namespace

absl::StatusOr<StreamLoadResult> run_stream_load(const StreamLoad& load, const base::Clock& clock) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, static_cast<rlim_t>(load.streams) + 256);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const base::UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller.valid()) return base::errno_status(errno, "[bench] epoll_create1");
  std::vector<Stream> streams(static_cast<std::size_t>(load.streams));
  const auto begin = clock.now();
  RETURN_IF_ERROR(open_streams(load, poller.get(), streams));
  StreamLoadResult result;
  int open = load.streams;
  std::array<epoll_event, 256> events;
  while (open > 0) {
    if (clock.now() - begin > load.limit) {
      return absl::DeadlineExceededError(base::to_absl(
          fmt::format("[bench] {} of {} streams are not over in time", open, load.streams)));
    }
    const int count = ::epoll_wait(poller.get(), events.data(), events.size(), 1000);
    for (int i = 0; i < count; ++i) {
      const auto number = events[static_cast<std::size_t>(i)].data.u64;
      ASSIGN_OR_RETURN(const bool over, read_stream(streams[number], number, load.tokens));
      if (over) --open;
    }
    const auto held = std::count_if(streams.begin(), streams.end(),
                                    [](const Stream& s) { return s.started && !s.done; });
    result.held = std::max(result.held, static_cast<int>(held));
  }
  result.seconds = std::chrono::duration<double>(clock.now() - begin).count();
  for (const auto& stream : streams) {
    result.tokens += stream.tokens;
    result.chunks += stream.chunks;
  }
  return result;
}

}  // namespace plinth
