// Bytes in, requests out: the parsing of one connection, without its socket. Boost.Beast parses;
// what it leaves open (request target, count of headers, host, unbounded chunk extensions) is
// decided here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace plinth::net {

// The limits of HttpServerOptions.
struct ReadLimits {
  std::uint64_t body_bytes_max = kHttpBodyBytesMax;
  std::uint32_t header_bytes_max = kHttpHeaderBytesMax;
  std::size_t uri_bytes_max = kHttpUriBytesMax;
  std::size_t headers_max = kHttpHeadersMax;
  std::function<std::optional<std::uint64_t>(std::string_view method, std::string_view path)>
      streamed = nullptr;
};

enum class ReadState {
  empty,    // not a byte of a next request
  head,     // headers are incomplete
  body,     // headers are complete, the body is not
  ready,    // a request can be taken
  refused,  // the connection can only be answered with `refusal` and closed
};

struct ReadRefusal {
  int status = 400;
  std::string reason;
};

// Used by one thread.
class RequestReader {
 public:
  explicit RequestReader(const ReadLimits& limits);
  ~RequestReader();

  // Takes what the peer sent and parses as far as it goes: at most to the end of one request.
  ReadState feed(std::string_view bytes);
  ReadState state() const { return state_; }
  const ReadRefusal& refusal() const { return refusal_; }
  // Gives everything back: nothing is read any more.
  void drop();
  // In state `body`, once: the client waits for "100 Continue" before it sends the body.
  bool take_expectation();

  // In state `ready`.
  struct Taken {
    HttpRequest request;
    bool keep_alive = true;
    bool chunks = true;  // HTTP/1.0 knows no chunked answers
  };
  // Starts the next request with the bytes that are left; state() tells how far they go.
  Taken take();

  // Whether the body of the request that is being read is taken in pieces: known with its headers.
  bool streams() const;
  // Of such a request, once, in state `body` or `ready`: it without its body.
  Taken take_head();
  // What has come of its body since.
  std::string take_body();
  // In state `ready`, once its body was taken: starts the next request.
  void finish_streamed();

  std::size_t bytes_left() const;  // unparsed
  std::size_t body_bytes() const;  // of the request that is being read, without what was taken
  std::uint64_t body_bytes_taken() const;  // with it

 private:
  struct Parser;
  void begin_next();
  ReadState parse();
  ReadState check_head();
  ReadState check_body_length();
  ReadState refuse(int status, std::string_view reason);

  const ReadLimits limits_;
  std::unique_ptr<Parser> parser_;  // of the current request
  std::string buffer_;              // [0, used_) is parsed
  std::size_t used_ = 0;
  ReadState state_ = ReadState::empty;
  bool expectation_ = false;
  ReadRefusal refusal_;
};

}  // namespace plinth::net
