// HTTP/1.1 server over Boost.Beast: one thread a connection, bounded in number, size and time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::net {

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free one
  // A longer body is answered with 413. OpenAI's own limit for a chat request is about this.
  std::uint64_t body_bytes_max = 16u << 20;
  std::uint32_t header_bytes_max = 32u << 10;
  // More connections wait in the kernel's backlog.
  int connections_max = 512;
  // A peer that neither sends nor takes a byte for this long is cut off.
  std::chrono::seconds idle_max{60};
};

struct HttpRequest {
  std::string method;
  std::string path;  // without the query
  std::string query;
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// One response. Used by the handler's thread alone. send() or start_stream() is called once.
class HttpWriter {
 public:
  virtual ~HttpWriter() = default;
  virtual void send(int status, const HttpHeaders& headers, std::string_view body) = 0;
  // Chunked; the stream ends when the handler returns.
  virtual void start_stream(int status, const HttpHeaders& headers) = 0;
  // False when the client is gone or takes nothing for idle_max.
  virtual bool write(std::string_view bytes) = 0;
  virtual bool client_gone() = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, HttpWriter&)>;

// A request that the server itself refuses (malformed, too large) reaches the handler's twin, which
// writes the body in the dialect's form.
using HttpRefusal = std::function<std::string(int status, std::string_view reason)>;

class HttpServer {
 public:
  // Unavailable where the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> listen(const HttpServerOptions& options,
                                                            HttpHandler handler,
                                                            HttpRefusal refusal);
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  // Accepts no more, waits up to `grace` for running requests, then closes their connections.
  virtual void drain(std::chrono::milliseconds grace) = 0;
};

}  // namespace plinth::net
