#include "net/http/connection.h"

#include <boost/asio/post.hpp>

namespace plinth::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// Reads in a row before other connections get their turn.
constexpr int kReadsMax = 8;
// A buffer that a large answer left behind is given back.
constexpr std::size_t kKeptBufferBytes = 64u << 10;

// A record of TLS at once, so that none of it is left where no socket tells of it.
static_assert(std::tuple_size_v<decltype(IoThread::scratch)> >= 16u << 10);

bool would_block(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

constexpr char kTooMany[] = "Too many connections; retry later.";
constexpr char kTooManyBodies[] = "Too many large requests at once; retry later.";
constexpr char kSlowBody[] = "The request's body took too long to arrive.";

}  // namespace

bool evict_longest_idle(HttpContext& context) {
  const auto [connection, stay] = context.idle.take_longest();
  if (connection != nullptr) connection->evict(stay);
  return connection != nullptr;
}

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<IoThread> io,
                       std::shared_ptr<HttpContext> context, bool surplus)
    : transport_(std::move(socket), context->tls.get()),
      io_(std::move(io)),
      context_(std::move(context)),
      surplus_(surplus),
      reader_({context_->options.body_bytes_max, context_->options.header_bytes_max,
               context_->options.uri_bytes_max, kHttpHeadersMax, context_->options.streamed}) {}

Connection::~Connection() = default;

void Connection::wake() {
  if (!woken_.exchange(true)) io_->wake(shared_from_this());
}

void Connection::start() {
  boost::system::error_code unknown;
  const auto peer = transport_.socket().remote_endpoint(unknown);
  if (!unknown) peer_ = peer.address().to_string();
  error_code error = transport_.begin();
  if (!error) transport_.socket().set_option(asio::ip::tcp::no_delay(true), error);
  began_ = moved_ = took_ = context_->clock.now();
  if (surplus_) return refuse(503, kTooMany);
  if (context_->draining) return close();
  become_idle();
  wait_to_read();
}

void Connection::wait_to_read() {
  if (waits_to_read_ || half_closed_ || stage_ == Stage::closed) return;
  // A peer that sends ahead without end is left to the kernel's window.
  if (stage_ == Stage::busy && reader_.bytes_left() > kHttpPipelineBytesMax) return;
  if (body_is_full()) return;
  waits_to_read_ = true;
  transport_.socket().async_wait(asio::ip::tcp::socket::wait_read,
                                 [self = shared_from_this()](const error_code& error) {
                                   self->waits_to_read_ = false;
                                   if (!error) self->on_readable();
                                 });
}

void Connection::wait_to_write() {
  if (waits_to_write_ || stage_ == Stage::closed) return;
  waits_to_write_ = true;
  transport_.socket().async_wait(asio::ip::tcp::socket::wait_write,
                                 [self = shared_from_this()](const error_code& error) {
                                   self->waits_to_write_ = false;
                                   if (!error) self->on_writable();
                                 });
}

void Connection::become_idle() { idle_ = context_->idle.enter(weak_from_this()); }

bool Connection::cease_to_be_idle() {
  if (idle_ == 0) return true;
  if (context_->idle.leave(idle_)) {
    idle_ = 0;
    return true;
  }
  return survive_eviction();
}

void Connection::evict(IdleList::Ticket stay) {
  asio::post(io_->loop, [self = shared_from_this(), stay] {
    // Otherwise it came to the same end already, or escaped it.
    if (self->idle_ == stay) (void)self->survive_eviction();
  });
}

// A request that came in the meantime is not dropped without a word: another idle connection goes
// instead, and where there is none, all are busy and the answer is that of one too many.
bool Connection::survive_eviction() {
  error_code error;
  const bool asked = transport_.socket().available(error) > 0 && !error;
  idle_ = 0;
  if (asked && evict_longest_idle(*context_)) return true;
  lose_place();
  asked ? refuse(503, kTooMany) : close();
  return false;
}

void Connection::lose_place() {
  surplus_ = true;
  std::lock_guard lock(context_->mutex);
  ++context_->turned_away;
}

void Connection::on_readable() {
  if (!cease_to_be_idle()) return;
  for (int i = 0; i < kReadsMax && stage_ != Stage::closed; ++i) {
    if (stage_ == Stage::busy && reader_.bytes_left() > kHttpPipelineBytesMax) return;
    if (body_is_full()) return;
    if (!read_some()) break;
  }
  if (stage_ == Stage::reading && reader_.state() == ReadState::empty && idle_ == 0) become_idle();
  if (transport_.write_wants_to_read()) flush();
  wait_to_read();
}

void Connection::on_writable() {
  if (transport_.read_wants_to_write()) return on_readable();
  flush();
}

bool Connection::read_some() {
  error_code error;
  auto& scratch = io_->scratch;
  const std::size_t size = transport_.read(scratch.data(), scratch.size(), error);
  if (would_block(error)) {
    if (transport_.read_wants_to_write()) wait_to_write();
    return false;
  }
  // Who closes its sending half right after a request still wants what is answered already.
  if (error == asio::error::eof && reply_ != nullptr && reply_->answered()) {
    half_closed_ = true;
    flush();
    return false;
  }
  if (error) {
    close();
    return false;
  }
  moved_ = context_->clock.now();
  if (stage_ == Stage::lingering) {
    lingered_ += size;
    if (lingered_ > kHttpLingerBytesMax) close();
    return true;
  }
  const bool fresh = reader_.state() == ReadState::empty;
  const auto state = reader_.feed({scratch.data(), size});
  if (fresh && stage_ == Stage::reading) began_ = moved_;
  if (stage_ == Stage::reading)
    advance(state);
  else if (body_ != nullptr)
    on_body(state);
  return true;
}

void Connection::advance(ReadState state) {
  count_body();
  if (stage_ != Stage::reading) return;
  if (state == ReadState::refused)
    return refuse(reader_.refusal().status, reader_.refusal().reason);
  if (state == ReadState::ready || reader_.streams()) return dispatch();
  if (state == ReadState::body && reader_.take_expectation()) {
    writing_ += kContinue;
    flush();
  }
}

// Bodies of all connections share one bound.
void Connection::count_body() {
  const std::uint64_t now = reader_.body_bytes();
  const auto all = context_->body_bytes.fetch_add(now - body_counted_) + now - body_counted_;
  const bool grew = now > body_counted_;
  body_counted_ = now;
  if (!grew || all <= context_->options.bodies_bytes_max) return;
  if (stage_ == Stage::reading) refuse(503, kTooManyBodies);
  if (body_ != nullptr) fail_body(503, kTooManyBodies);
}

void Connection::set_busy(bool busy) {
  if (busy == busy_counted_) return;
  busy_counted_ = busy;
  std::lock_guard lock(context_->mutex);
  context_->busy += busy ? 1 : -1;
  context_->changed.notify_all();
}

void Connection::dispatch() {
  stage_ = Stage::busy;
  set_busy(true);
  const bool streams = reader_.streams();
  auto taken = streams ? reader_.take_head() : reader_.take();
  taken.request.peer = peer_;
  if (client_chain_ == nullptr) client_chain_ = transport_.client_chain();
  taken.request.client_chain = client_chain_;
  count_body();
  ReplyShape shape;
  shape.head = taken.request.method == "HEAD";
  shape.chunks = taken.chunks;
  goes_on_ = taken.keep_alive;
  // Not before the rest of a body is read.
  shape.keep_alive = goes_on_ && !context_->draining && !streams;
  shape.stream_bytes_max = context_->options.stream_bytes_max;
  reply_ = std::make_shared<Reply>(weak_from_this(), shape, context_->clock);
  // Who answers holds this handle; when the last copy of it goes, there must have been an answer.
  HttpReplyPtr handle(reply_.get(), [reply = reply_](HttpReply*) { reply->abandon(); });
  if (streams) {
    body_ = std::make_shared<StreamedBody>(weak_from_this(), io_);
    taken.request.stream = body_;
    unread_since_ = context_->clock.now();
    on_body(reader_.state());
  }
  if (taken.request.body.size() < kHttpLargeBodyBytes) {
    context_->handler(std::move(taken.request), std::move(handle));
    return;
  }
  asio::post(context_->helpers, [context = context_, handle = std::move(handle),
                                 request = std::move(taken.request)]() mutable {
    context->handler(std::move(request), std::move(handle));
  });
}

void Connection::on_body(ReadState state) {
  count_body();
  if (body_ == nullptr) return;
  if (state == ReadState::refused)
    return fail_body(reader_.refusal().status, reader_.refusal().reason);
  if (state == ReadState::ready) reply_->set_keep_alive(goes_on_ && !context_->draining);
  offer_body();
}

void Connection::read_body(const StreamedBody* body, HttpBody::Taken taken) {
  if (body != body_.get()) return taken(absl::CancelledError(body->over()));
  // The peer's time counts only while somebody waits for it.
  moved_ = context_->clock.now();
  began_ += moved_ - unread_since_;
  unread_since_ = moved_;
  body_wanted_ = std::move(taken);
  if (reader_.take_expectation() && writing_.empty() && !reply_->answered()) {
    writing_ += kContinue;
    flush();
  }
  offer_body();
  wait_to_read();
}

void Connection::offer_body() {
  if (body_wanted_ == nullptr) return;
  const bool whole = reader_.state() == ReadState::ready;
  auto piece = reader_.take_body();
  if (piece.empty() && !whole) return;
  count_body();
  unread_since_ = context_->clock.now();
  std::exchange(body_wanted_, nullptr)(std::move(piece));
}

// Whoever reads it may answer, too: this answer comes first.
void Connection::fail_body(int status, std::string_view reason) {
  // It may be the reader's own, which drops it.
  const std::string kept(reason);
  auto answer = context_->refusal(status, kept);
  reply_->set_keep_alive(false);
  reply_->send(status, answer.headers, std::move(answer.body));
  reader_.drop();
  end_body(kept);
  count_body();
}

void Connection::end_body(std::string_view reason) {
  if (body_ == nullptr) return;
  std::exchange(body_, nullptr)->end(reason);
  const auto wanted = std::exchange(body_wanted_, nullptr);
  if (wanted) wanted(absl::CancelledError(base::to_absl(reason)));
}

bool Connection::body_is_full() const {
  return body_ != nullptr && reader_.state() == ReadState::body &&
         reader_.body_bytes() >= kHttpStreamedBytesMax;
}

StreamedBody::StreamedBody(std::weak_ptr<Connection> owner, std::shared_ptr<IoThread> io)
    : owner_(std::move(owner)), io_(std::move(io)) {}
StreamedBody::~StreamedBody() = default;

void StreamedBody::read(Taken taken) {
  asio::post(io_->loop, [self = shared_from_this(), taken = std::move(taken)]() mutable {
    const auto owner = self->owner_.lock();
    if (owner == nullptr) return taken(absl::CancelledError("The client left."));
    owner->read_body(self.get(), std::move(taken));
  });
}

void Connection::flush() {
  woken_ = false;
  // Also while the socket takes nothing: that is when it happens.
  if (reply_ != nullptr && reply_->overflowed()) return close();
  while (stage_ != Stage::closed && !waits_to_write_) {
    if (written_ == writing_.size()) {
      writing_.clear();
      written_ = 0;
      if (writing_.capacity() > kKeptBufferBytes) writing_ = {};
      if (reply_ == nullptr) {
        if (refusing_) linger();
        return;
      }
      const auto how = reply_->take(writing_);
      took_ = context_->clock.now();
      if (how == Reply::Taken::nothing) return;
      if (how != Reply::Taken::bytes) return finish_reply(how);
    }
    error_code error;
    const std::size_t size =
        transport_.write(writing_.data() + written_, writing_.size() - written_, error);
    // Else it goes on in on_readable().
    if (would_block(error))
      return transport_.write_wants_to_read() ? wait_to_read() : wait_to_write();
    if (error) return close();
    written_ += size;
    moved_ = took_ = context_->clock.now();
  }
}

void Connection::finish_reply(Reply::Taken how) {
  if (how == Reply::Taken::overflow) return close();
  const auto reply = std::exchange(reply_, nullptr);
  end_body("The request was answered.");
  reply->end(HttpEnd::sent);
  set_busy(false);
  if (how == Reply::Taken::close) return linger();
  if (reader_.streams()) reader_.finish_streamed();
  const bool more = !half_closed_ || reader_.state() == ReadState::ready;
  if (context_->draining || !more) return close();
  stage_ = Stage::reading;
  began_ = moved_;
  if (reader_.state() == ReadState::empty) become_idle();
  advance(reader_.state());
  wait_to_read();
}

void Connection::refuse(int status, std::string_view reason) {
  auto answer = context_->refusal(status, reason);
  Reply reply({}, {false, true, false}, context_->clock);
  reply.send(status, answer.headers, std::move(answer.body));
  stage_ = Stage::lingering;
  refusing_ = true;
  reader_.drop();
  count_body();
  std::string bytes;
  (void)reply.take(bytes);
  writing_ += bytes;
  flush();
}

// Half-closes and reads on for a moment: closing while the peer still sends would reset the
// connection, and the answer with it.
void Connection::linger() {
  if (stage_ == Stage::closed) return;
  stage_ = Stage::lingering;
  refusing_ = false;
  began_ = context_->clock.now();
  if (transport_.end_sending()) return close();
  wait_to_read();
}

void Connection::tick(base::TimePoint now) {
  const auto& options = context_->options;
  if (reply_ != nullptr) {
    const auto reply = reply_;
    reply->tick(now);
  }
  if (stage_ == Stage::closed) return;
  const bool sending = written_ < writing_.size();
  if (sending && now - took_ > options.idle_max) return close();
  if (stage_ == Stage::lingering && now - began_ > kHttpLingerMax && !sending) return close();
  if (body_ != nullptr) return tick_body(now);
  if (stage_ != Stage::reading) return;
  const auto state = reader_.state();
  if (transport_.greets() && now - began_ > options.header_time_max) return close();
  if (state == ReadState::empty && now - moved_ > options.idle_max) return close();
  if (state == ReadState::head && now - began_ > options.header_time_max)
    return refuse(408, "The request's headers took too long to arrive.");
  if (state == ReadState::body && body_is_late(now, reader_.body_bytes())) refuse(408, kSlowBody);
}

bool Connection::body_is_late(base::TimePoint now, std::uint64_t bytes) const {
  const auto earned = std::chrono::seconds(bytes / kHttpBodyBytesPerSecondMin);
  return now - began_ > context_->options.body_time_max + earned ||
         now - moved_ > context_->options.idle_max;
}

void Connection::tick_body(base::TimePoint now) {
  if (reader_.state() != ReadState::body || body_wanted_ == nullptr) return;
  if (body_is_late(now, reader_.body_bytes_taken())) fail_body(408, kSlowBody);
}

void Connection::drain() {
  if (reply_ != nullptr)
    reply_->set_keep_alive(false);
  else if (stage_ == Stage::reading)
    close();
}

void Connection::close() {
  if (stage_ == Stage::closed) return;
  const auto self = shared_from_this();
  if (idle_ != 0 && !context_->idle.leave(std::exchange(idle_, 0))) lose_place();
  stage_ = Stage::closed;
  transport_.close();
  context_->body_bytes -= std::exchange(body_counted_, 0);
  end_body("The client left.");
  if (const auto reply = std::exchange(reply_, nullptr)) reply->end(HttpEnd::gone);
  set_busy(false);
  writing_ = {};
  written_ = 0;
  io_->remove(self);
  std::lock_guard lock(context_->mutex);
  --(surplus_ ? context_->turned_away : context_->connections);
  context_->changed.notify_all();
}

}  // namespace plinth::net
