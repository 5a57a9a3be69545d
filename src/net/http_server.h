// HTTP/1.1 server: a few threads for any number of connections. A handler gets the request and an
// answer that it may complete now or later, from any thread:
//
//   auto server = HttpServer::listen(options, clock, handle, refuse)
//   void handle(HttpRequest request, HttpReplyPtr reply) {
//     reply->send(200, {{"content-type", "text/plain"}}, "hello " + request.path)
//   }
//
// or, with a call that takes its time: reply->on_end() to learn that the client has gone,
// start_stream(), then write() from any thread, which never blocks, and end_stream(). A stream that
// is longer than a client takes at once asks when_taken() before it writes on.
//
// Where `streamed` says so the handler runs before the body is there, and reads it in pieces:
// request.stream->read().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/limits.h"

namespace plinth::net {

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free one
  int io_threads = 1;
  std::uint64_t body_bytes_max = kHttpBodyBytesMax;  // 413
  std::uint64_t bodies_bytes_max = kHttpBodiesBytesMax;
  // How long the bodies of a method and path (without its query) may be that are read in pieces;
  // nothing = they are read whole, as all are without it. Called on io threads.
  std::function<std::optional<std::uint64_t>(std::string_view method, std::string_view path)>
      streamed = nullptr;
  std::uint32_t header_bytes_max = kHttpHeaderBytesMax;  // 431
  std::size_t uri_bytes_max = kHttpUriBytesMax;          // 414
  // Beyond it the longest idle one is closed; 503 where all are busy.
  int connections_max = kHttpConnectionsMax;
  std::size_t stream_bytes_max = kHttpStreamBytesMax;
  base::Duration idle_max = kHttpIdleMax;
  base::Duration header_time_max = kHttpHeaderTimeMax;  // 408
  base::Duration body_time_max = kHttpBodyTimeMax;      // 408
  // How often timeouts are looked at: what they are late by at most.
  std::chrono::milliseconds tick{250};
};

// A body that is still arriving. Thread-safe.
class HttpBody {
 public:
  virtual ~HttpBody() = default;
  // `taken` gets what has come, once there is some: at most kHttpStreamedBytesMax or a little more,
  // "" at the body's end. Cancelled where the rest will not come, which the server or the client
  // decided. Runs on an io thread, before which no more is read from the peer; one at a time. What
  // nobody reads is dropped once the answer is there, with the connection.
  using Taken = std::function<void(absl::StatusOr<std::string> piece)>;
  virtual void read(Taken taken) = 0;
};

struct HttpRequest {
  std::string method;
  std::string path;  // without the query, as sent (percent-encoded)
  std::string query;
  std::string body;
  std::string peer;  // address of who sent it, without the port
  // Of TLS with clients' certificates: DER, the client's own first. Null where it presented none.
  // Shared by the requests of a connection.
  std::shared_ptr<const std::vector<std::string>> client_chain = {};
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  // Of bodies that are read in pieces, whose `body` is empty; else null. Shared with the
  // connection.
  std::shared_ptr<HttpBody> stream = {};

  // "" where it is absent.
  std::string_view header(std::string_view name) const;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

enum class HttpEnd {
  sent,  // the last byte went to the kernel
  gone,  // the client left, took nothing for too long, or the server is shutting down
};

// One answer; thread-safe. Either send(), or start_stream(), write()... and end_stream(). What
// comes after the end is ignored. An answer that is dropped without one becomes a 500.
// Header names are in lower case; content-length, transfer-encoding, connection and date are the
// server's own.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  virtual void send(int status, const HttpHeaders& headers, std::string body) = 0;
  virtual void start_stream(int status, const HttpHeaders& headers) = 0;
  // Never blocks. False once the client is gone, which a full buffer (stream_bytes_max) makes it.
  virtual bool write(std::string_view bytes) = 0;
  // `more` runs once, on an io thread, when what was written has left for the client; never where
  // the stream is over before. At most one waits.
  virtual void when_taken(std::function<void()> more) = 0;
  virtual void end_stream() = 0;
  // Ends a stream so that the client sees it cut short: the connection closes once what was
  // written is sent, without the last chunk.
  virtual void break_off() = 0;
  // `over` runs once, on an io thread and under no lock; at once where it is over already. A
  // client that leaves is noticed while nothing is written, too.
  virtual void on_end(std::function<void(HttpEnd)> over) = 0;
  // `late` runs on an io thread if the answer is not over after `limit`.
  virtual void on_deadline(base::Duration limit, std::function<void()> late) = 0;
  // Writes `bytes` whenever a stream was silent for `interval`.
  virtual void set_heartbeat(base::Duration interval, std::string bytes) = 0;
};
using HttpReplyPtr = std::shared_ptr<HttpReply>;  // shared by the connection and who answers

// Called on an io thread, or on a helper thread for a large body; it must not block for long.
using HttpHandler = std::function<void(HttpRequest, HttpReplyPtr)>;

struct HttpAnswer {
  HttpHeaders headers;
  std::string body;
};
// A request that the server itself refuses (malformed, too large, too slow, one too many) is
// answered with what this makes of it, in the dialect's form.
using HttpRefusal = std::function<HttpAnswer(int status, std::string_view reason)>;

class HttpServer {
 public:
  // Unavailable where the address cannot be bound. The clock outlives the server.
  static absl::StatusOr<std::unique_ptr<HttpServer>> listen(const HttpServerOptions& options,
                                                            const base::Clock& clock,
                                                            HttpHandler handler,
                                                            HttpRefusal refusal);
  // Drains without grace.
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual int connections() const = 0;
  // Accepts no more, waits up to `grace` for running requests, then closes their connections.
  // Afterwards no callback runs any more.
  virtual void drain(std::chrono::milliseconds grace) = 0;
};

}  // namespace plinth::net
