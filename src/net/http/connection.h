// One connection: reads requests one after the other, hands each to the handler, sends what its
// reply holds, and keeps an eye on the peer all the time.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "net/http/io_thread.h"
#include "net/http/reply.h"
#include "net/http/request_reader.h"
#include "net/http/transport.h"

namespace plinth::net {

// The handle by which a body is read in pieces.
class StreamedBody final : public HttpBody, public std::enable_shared_from_this<StreamedBody> {
 public:
  StreamedBody(std::weak_ptr<Connection> owner, std::shared_ptr<IoThread> io);
  ~StreamedBody() override;
  void read(Taken taken) override;
  // On the io thread: nothing more comes.
  void end(std::string_view reason) { over_ = reason; }
  const std::string& over() const { return over_; }

 private:
  const std::weak_ptr<Connection> owner_;
  const std::shared_ptr<IoThread> io_;  // shared by its connections
  std::string over_;                    // of the io thread
};

// Makes room for one more: ends the connection that has waited longest for its next request, which
// then counts no more. False where none waits.
bool evict_longest_idle(HttpContext& context);

class Connection final : public ReplyOwner, public std::enable_shared_from_this<Connection> {
 public:
  // `surplus`: one too many, to be told so.
  Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<IoThread> io,
             std::shared_ptr<HttpContext> context, bool surplus);
  ~Connection() override;

  void wake() override;
  // From any thread, by who took `stay` out of the idle list: this connection has to go.
  void evict(IdleList::Ticket stay);

  // The rest on the io thread.
  void start();
  void flush();
  void tick(base::TimePoint now);
  // Closes at once where no request is in progress, else after it.
  void drain();
  void close();
  void read_body(const StreamedBody* body, HttpBody::Taken taken);

 private:
  enum class Stage { reading, busy, lingering, closed };

  void wait_to_read();
  void wait_to_write();
  void on_readable();
  void on_writable();
  // False when the connection closed.
  bool read_some();
  void advance(ReadState state);
  void dispatch();
  // Of a body that is read in pieces: hands on what has come, refuses the rest, ends it.
  void on_body(ReadState state);
  void offer_body();
  void fail_body(int status, std::string_view reason);
  void end_body(std::string_view reason);
  bool body_is_full() const;
  void tick_body(base::TimePoint now);
  bool body_is_late(base::TimePoint now, std::uint64_t bytes) const;
  void refuse(int status, std::string_view reason);
  void finish_reply(Reply::Taken how);
  void linger();
  void count_body();
  void set_busy(bool busy);
  void become_idle();
  // False where this connection was evicted and is over.
  bool cease_to_be_idle();
  bool survive_eviction();
  void lose_place();

  Transport transport_;
  std::string peer_;  // its address
  // Null where there is none; shared with the requests. Known once the first request came.
  std::shared_ptr<const std::vector<std::string>> client_chain_;
  const std::shared_ptr<IoThread> io_;          // shared by its connections
  const std::shared_ptr<HttpContext> context_;  // shared by all connections
  bool surplus_;                                // beyond connections_max
  IdleList::Ticket idle_ = 0;                   // 0 while it does not wait for a request
  RequestReader reader_;
  Stage stage_ = Stage::reading;
  bool waits_to_read_ = false, waits_to_write_ = false, busy_counted_ = false;
  bool refusing_ = false, half_closed_ = false;
  std::shared_ptr<Reply> reply_;        // of the request in progress; shared with who answers
  std::shared_ptr<StreamedBody> body_;  // of that request; shared with who reads it
  HttpBody::Taken body_wanted_;         // who waits for more of it
  bool goes_on_ = false;                // after that request
  std::string writing_;                 // [written_, end) is being sent
  std::size_t written_ = 0;
  std::uint64_t body_counted_ = 0, lingered_ = 0;
  // When the request that is being read began, when a byte last moved either way, and when the peer
  // last took one, or could have begun to.
  base::TimePoint began_, moved_, took_;
  base::TimePoint unread_since_;  // of a body for which nobody waits
  std::atomic<bool> woken_{false};
};

}  // namespace plinth::net
