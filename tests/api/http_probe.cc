#include "http_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "base/file.h"

namespace plinth::tests {

namespace {

absl::StatusOr<base::UniqueFd> connect_to(std::uint16_t port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::errno_status(errno, "connect");
  return fd;
}

std::string text_of(const HttpQuestion& question) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nhost: plinth\r\nconnection: close\r\n",
                                 question.method, question.path);
  for (const auto& [name, value] : question.headers) text += name + ": " + value + "\r\n";
  if (!question.body.empty() || question.method == "POST")
    text += fmt::format("content-length: {}\r\n", question.body.size());
  return text + "\r\n" + question.body;
}

// What has come of a chunked body.
std::string unchunked(std::string_view raw) {
  std::string body;
  while (true) {
    const std::size_t end = raw.find("\r\n");
    if (end == std::string_view::npos) return body;
    const std::size_t size = std::stoul(std::string(raw.substr(0, end)), nullptr, 16);
    raw.remove_prefix(end + 2);
    body += raw.substr(0, size);
    if (size == 0 || raw.size() < size + 2) return body;
    raw.remove_prefix(size + 2);
  }
}

HttpAnswer answer_of(const std::string& raw) {
  HttpAnswer answer;
  const std::size_t head_end = raw.find("\r\n\r\n");
  if (head_end == std::string::npos) return answer;
  std::istringstream head(raw.substr(0, head_end));
  std::string line;
  std::getline(head, line);
  answer.status = std::stoi(line.substr(9, 3));
  while (std::getline(head, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const std::size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    answer.headers[name] = line.substr(line.find_first_not_of(' ', colon + 1));
  }
  const std::string rest = raw.substr(head_end + 4);
  const auto coding = answer.headers.find("transfer-encoding");
  answer.body =
      coding != answer.headers.end() && coding->second == "chunked" ? unchunked(rest) : rest;
  return answer;
}

}  // namespace

absl::StatusOr<HttpAnswer> ask(std::uint16_t port, const HttpQuestion& question) {
  ASSIGN_OR_RETURN(const auto fd, connect_to(port));
  const std::string text = text_of(question);
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = ::send(fd.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) break;  // the server may refuse before it has read all
    sent += static_cast<std::size_t>(count);
  }
  std::string raw;
  char buffer[16384];
  while (true) {
    if (question.leave_after_events) {
      const auto events = events_of(answer_of(raw).body);
      if (static_cast<int>(events.size()) >= *question.leave_after_events) break;
    }
    const ssize_t count = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (count < 0 && errno == ECONNRESET && !raw.empty()) break;
    if (count < 0) return base::errno_status(errno, "recv");
    if (count == 0) break;
    raw.append(buffer, static_cast<std::size_t>(count));
  }
  return answer_of(raw);
}

std::vector<std::string> events_of(const std::string& body) {
  std::vector<std::string> events;
  for (std::size_t begin = 0; begin < body.size();) {
    const std::size_t end = body.find("\n\n", begin);
    if (end == std::string::npos) break;
    const std::string event = body.substr(begin, end - begin);
    if (event.starts_with("data: ")) events.push_back(event.substr(6));
    begin = end + 2;
  }
  return events;
}

}  // namespace plinth::tests
