#include "net/http_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

namespace plinth::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

void set_timeouts(tcp::socket& socket, std::chrono::seconds limit) {
  const timeval time{static_cast<time_t>(limit.count()), 0};
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

class Writer final : public HttpWriter {
 public:
  Writer(tcp::socket& socket, bool keep_alive, bool head)
      : socket_(socket), keep_alive_(keep_alive), head_(head) {}

  void send(int status, const HttpHeaders& headers, std::string_view body) override {
    http::response<http::string_body> response(static_cast<http::status>(status), 11);
    for (const auto& [name, value] : headers) response.set(name, value);
    response.keep_alive(keep_alive_);
    response.body() = std::string(body);
    response.prepare_payload();
    if (head_) response.body().clear();
    boost::system::error_code error;
    http::write(socket_, response, error);
    sent_ = true;
    broken_ = broken_ || error;
  }

  void start_stream(int status, const HttpHeaders& headers) override {
    http::response<http::empty_body> response(static_cast<http::status>(status), 11);
    for (const auto& [name, value] : headers) response.set(name, value);
    response.keep_alive(keep_alive_);
    response.chunked(true);
    http::response_serializer<http::empty_body> serializer(response);
    boost::system::error_code error;
    http::write_header(socket_, serializer, error);
    broken_ = broken_ || error;
    sent_ = streaming_ = true;
  }

  bool write(std::string_view bytes) override {
    if (broken_ || bytes.empty()) return !broken_;
    boost::system::error_code error;
    asio::write(socket_, http::make_chunk(asio::buffer(bytes.data(), bytes.size())), error);
    broken_ = broken_ || error;
    return !broken_;
  }

  bool client_gone() override {
    if (broken_) return true;
    pollfd descriptor{socket_.native_handle(), POLLIN, 0};
    if (::poll(&descriptor, 1, 0) <= 0) return false;
    char byte = 0;
    broken_ = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 ||
              (descriptor.revents & (POLLERR | POLLHUP)) != 0;
    return broken_;
  }

  // Whether the connection can serve another request.
  bool end() {
    if (!sent_) send(500, {}, "");
    if (streaming_ && !broken_) {
      boost::system::error_code error;
      asio::write(socket_, http::make_chunk_last(), error);
      broken_ = broken_ || error;
    }
    return keep_alive_ && !broken_;
  }

 private:
  tcp::socket& socket_;
  const bool keep_alive_, head_;
  bool sent_ = false, streaming_ = false, broken_ = false;
};

class Server final : public HttpServer {
 public:
  Server(const HttpServerOptions& options, HttpHandler handler, HttpRefusal refusal)
      : options_(options),
        handler_(std::move(handler)),
        refusal_(std::move(refusal)),
        acceptor_(io_) {}

  ~Server() override { drain(std::chrono::milliseconds(0)); }

  absl::Status start() {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error) return base::invalid_argument(options_.address + ": not an IP address");
    const tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return base::unavailable(
          fmt::format("listen {}:{}: {}", options_.address, options_.port, error.message()));
    }
    port_ = acceptor_.local_endpoint().port();
    accept_thread_ = std::thread([this] { accept_loop(); });
    return absl::OkStatus();
  }

  std::uint16_t port() const override { return port_; }

  void drain(std::chrono::milliseconds grace) override {
    std::unique_lock lock(mutex_);
    if (!stopping_) {
      stopping_ = true;
      ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
      changed_.notify_all();
    }
    changed_.wait_for(lock, grace, [&] { return busy_ == 0; });
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    changed_.wait(lock, [&] { return connections_ == 0; });
    lock.unlock();
    if (accept_thread_.joinable()) accept_thread_.join();
  }

 private:
  void accept_loop() {
    while (true) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping_ || connections_ < options_.connections_max; });
        if (stopping_) return;
      }
      boost::system::error_code error;
      tcp::socket socket(io_);
      acceptor_.accept(socket, error);
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      if (error) continue;
      ++connections_;
      open_.insert(socket.native_handle());
      std::thread([this, s = std::move(socket)]() mutable {
        const int fd = s.native_handle();
        serve(s);
        std::lock_guard inner(mutex_);
        open_.erase(fd);
        boost::system::error_code ignored;
        s.close(ignored);
        --connections_;
        changed_.notify_all();
      }).detach();
    }
  }

  void serve(tcp::socket& socket) {
    set_timeouts(socket, options_.idle_max);
    boost::system::error_code error;
    socket.set_option(tcp::no_delay(true), error);
    boost::beast::flat_buffer buffer(options_.header_bytes_max + (1u << 16));
    while (true) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(options_.header_bytes_max);
      parser.body_limit(options_.body_bytes_max);
      http::read(socket, buffer, parser, error);
      if (error) return refuse(socket, error);
      const auto& message = parser.get();
      Writer writer(socket, message.keep_alive(), message.method() == http::verb::head);
      count_busy(1);
      handler_(to_request(message), writer);
      const bool again = writer.end();
      count_busy(-1);
      std::lock_guard lock(mutex_);
      if (!again || stopping_) return;
    }
  }

  static HttpRequest to_request(const http::request<http::string_body>& message) {
    HttpRequest request;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    request.body = message.body();
    for (const auto& field : message) {
      request.headers[lower({field.name_string().data(), field.name_string().size()})] =
          std::string(field.value());
    }
    return request;
  }

  void refuse(tcp::socket& socket, const boost::system::error_code& error) {
    int status = 0;
    if (error == http::error::body_limit)
      status = 413;
    else if (error == http::error::header_limit)
      status = 431;
    else if (error.category() == make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message)
      status = 400;
    if (status == 0) return;
    Writer writer(socket, false, false);
    writer.send(status, {{"content-type", "application/json"}}, refusal_(status, error.message()));
    // The rest of a refused body is read for a moment, or the peer may lose the answer to a reset.
    ::shutdown(socket.native_handle(), SHUT_WR);
    char scrap[1 << 16];
    for (int i = 0; i < 1024; ++i) {
      pollfd descriptor{socket.native_handle(), POLLIN, 0};
      if (::poll(&descriptor, 1, 200) <= 0) break;
      if (::recv(socket.native_handle(), scrap, sizeof scrap, 0) <= 0) break;
    }
  }

  void count_busy(int by) {
    std::lock_guard lock(mutex_);
    busy_ += by;
    changed_.notify_all();
  }

  const HttpServerOptions options_;
  const HttpHandler handler_;
  const HttpRefusal refusal_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::thread accept_thread_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> open_;  // protected by mutex_, as are the following
  int connections_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpServerOptions& options,
                                                               HttpHandler handler,
                                                               HttpRefusal refusal) {
  auto server = std::make_unique<Server>(options, std::move(handler), std::move(refusal));
  RETURN_IF_ERROR(server->start());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace plinth::net
