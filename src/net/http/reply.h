// What an answer's writers and its connection share: the bytes that wait to be sent, and how it
// ends. No socket here: the connection takes the bytes when its owner is woken.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace plinth::net {

// The connection, as the answer sees it.
class ReplyOwner {
 public:
  virtual ~ReplyOwner() = default;
  // From any thread, also under the reply's lock: "there is something to take".
  virtual void wake() = 0;
};

struct ReplyShape {
  bool head = false;       // HEAD: no body follows
  bool chunks = true;      // HTTP/1.1
  bool keep_alive = true;  // unless the end of the connection must end the answer
  std::size_t stream_bytes_max = kHttpStreamBytesMax;
};

class Reply final : public HttpReply {
 public:
  Reply(std::weak_ptr<ReplyOwner> owner, const ReplyShape& shape, const base::Clock& clock);

  void send(int status, const HttpHeaders& headers, std::string body) override;
  void start_stream(int status, const HttpHeaders& headers) override;
  bool write(std::string_view bytes) override;
  void when_taken(std::function<void()> more) override;
  void end_stream() override;
  void break_off() override;
  void on_end(std::function<void(HttpEnd)> over) override;
  void on_deadline(base::Duration limit, std::function<void()> late) override;
  void set_heartbeat(base::Duration interval, std::string bytes) override;

  // For the connection, on its thread. `into` is empty and lends its capacity.
  enum class Taken {
    bytes,     // into has some
    nothing,   // wait to be woken
    complete,  // all was taken; the connection may go on
    close,     // all was taken; the connection must close
    overflow,  // the client took too little: cut it off
  };
  Taken take(std::string& into);
  void end(HttpEnd how);
  // Whether the client took too little: the connection is to be closed.
  bool overflowed();
  // Whether all of the answer is there, sent or not.
  bool answered();
  // Heartbeats and deadlines that are due.
  void tick(base::TimePoint now);
  // Whoever should have answered is gone: a 500, or a stream cut short.
  void abandon();
  // Whether the connection goes on after this answer, of one that is not complete.
  void set_keep_alive(bool on);

 private:
  enum class Phase { waiting, streaming, complete, broken, overflow };
  bool head(int status, const HttpHeaders& headers, std::string_view framing);
  void append_chunk(std::string_view bytes);
  void wake();

  const std::weak_ptr<ReplyOwner> owner_;
  const base::Clock& clock_;
  std::mutex mutex_;
  ReplyShape shape_;  // protected by mutex_, as is what follows
  Phase phase_ = Phase::waiting;
  std::string pending_;
  std::optional<HttpEnd> end_;
  std::function<void(HttpEnd)> over_;
  std::function<void()> late_, more_;
  base::TimePoint deadline_, written_;
  base::Duration heartbeat_{0};
  std::string heartbeat_bytes_;
};

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string http_date(std::int64_t unix_seconds);

}  // namespace plinth::net
