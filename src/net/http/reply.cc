#include "net/http/reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ctime>

#include "base/check.h"

namespace plinth::net {

namespace {

std::string_view reason_phrase(int status) {
  const auto text =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {text.data(), text.size()};
}

// A line break would let a value start a header, or an answer, of its own.
bool safe(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

std::string http_date(std::int64_t unix_seconds) {
  // strftime would follow the locale.
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = unix_seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                     kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                     kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Reply::Reply(std::weak_ptr<ReplyOwner> owner, const ReplyShape& shape, const base::Clock& clock)
    : owner_(std::move(owner)), clock_(clock), shape_(shape) {}

void Reply::wake() {
  if (const auto owner = owner_.lock()) owner->wake();
}

// Called with mutex_ held. False where an answer has begun already.
bool Reply::head(int status, const HttpHeaders& headers, std::string_view framing) {
  if (phase_ != Phase::waiting || end_) return false;
  fmt::format_to(std::back_inserter(pending_), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : headers) {
    if (!safe(name) || !safe(value)) continue;
    pending_.append(name).append(": ").append(value).append("\r\n");
  }
  pending_.append("date: ").append(http_date(clock_.unix_seconds())).append("\r\n");
  pending_.append(framing);
  if (!shape_.keep_alive)
    pending_.append("connection: close\r\n");
  else if (!shape_.chunks)
    pending_.append("connection: keep-alive\r\n");
  pending_.append("\r\n");
  return true;
}

void Reply::send(int status, const HttpHeaders& headers, std::string body) {
  std::lock_guard lock(mutex_);
  // These have no body by their definition (RFC 9110, 6.4.1).
  const bool bodiless = status < 200 || status == 204 || status == 304;
  const std::string length = bodiless ? "" : fmt::format("content-length: {}\r\n", body.size());
  if (!head(status, headers, length)) return;
  if (!shape_.head && !bodiless) pending_.append(body);
  phase_ = Phase::complete;
  wake();
}

void Reply::start_stream(int status, const HttpHeaders& headers) {
  std::lock_guard lock(mutex_);
  if (!shape_.chunks) shape_.keep_alive = false;
  if (!head(status, headers, shape_.chunks ? "transfer-encoding: chunked\r\n" : "")) return;
  phase_ = Phase::streaming;
  written_ = clock_.now();
  wake();
}

// Called with mutex_ held.
void Reply::append_chunk(std::string_view bytes) {
  if (shape_.head || bytes.empty()) return;
  if (!shape_.chunks) {
    pending_.append(bytes);
    return;
  }
  std::array<char, 18> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
  pending_.append(size.data(), static_cast<std::size_t>(end - size.data())).append("\r\n");
  pending_.append(bytes).append("\r\n");
}

bool Reply::write(std::string_view bytes) {
  std::lock_guard lock(mutex_);
  if (phase_ != Phase::streaming || end_) return false;
  if (pending_.size() + bytes.size() > shape_.stream_bytes_max) {
    phase_ = Phase::overflow;
    wake();
    return false;
  }
  append_chunk(bytes);
  written_ = clock_.now();
  wake();
  return true;
}

void Reply::when_taken(std::function<void()> more) {
  std::lock_guard lock(mutex_);
  if (phase_ != Phase::streaming || end_) return;
  more_ = std::move(more);
  // It may all be gone already.
  wake();
}

void Reply::end_stream() {
  std::lock_guard lock(mutex_);
  if (phase_ != Phase::streaming || end_) return;
  if (shape_.chunks && !shape_.head) pending_.append("0\r\n\r\n");
  phase_ = Phase::complete;
  wake();
}

void Reply::break_off() {
  std::lock_guard lock(mutex_);
  if (phase_ != Phase::streaming || end_) return;
  phase_ = Phase::broken;
  wake();
}

void Reply::on_end(std::function<void(HttpEnd)> over) {
  std::optional<HttpEnd> already;
  {
    std::lock_guard lock(mutex_);
    if (!end_) {
      over_ = std::move(over);
      return;
    }
    already = end_;
  }
  over(*already);
}

void Reply::on_deadline(base::Duration limit, std::function<void()> late) {
  std::lock_guard lock(mutex_);
  if (end_) return;
  deadline_ = clock_.now() + limit;
  late_ = std::move(late);
}

void Reply::set_heartbeat(base::Duration interval, std::string bytes) {
  std::lock_guard lock(mutex_);
  heartbeat_ = interval;
  heartbeat_bytes_ = std::move(bytes);
}

Reply::Taken Reply::take(std::string& into) {
  std::function<void()> more;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::overflow) return Taken::overflow;
    if (!pending_.empty()) {
      pending_.swap(into);
      return Taken::bytes;
    }
    if (phase_ == Phase::broken) return Taken::close;
    if (phase_ == Phase::complete) return shape_.keep_alive ? Taken::complete : Taken::close;
    more = std::exchange(more_, nullptr);
  }
  if (more) more();
  return Taken::nothing;
}

void Reply::end(HttpEnd how) {
  std::function<void(HttpEnd)> over;
  std::function<void()> late, more;
  {
    std::lock_guard lock(mutex_);
    if (end_) return;
    end_ = how;
    over = std::exchange(over_, nullptr);
    late = std::exchange(late_, nullptr);
    more = std::exchange(more_, nullptr);
    pending_ = {};
  }
  if (over) over(how);
}

void Reply::tick(base::TimePoint now) {
  std::function<void()> late;
  {
    std::lock_guard lock(mutex_);
    if (end_) return;
    if (late_ && now >= deadline_ && phase_ != Phase::complete)
      late = std::exchange(late_, nullptr);
    const bool silent = phase_ == Phase::streaming && heartbeat_ > base::Duration(0) &&
                        pending_.empty() && now - written_ >= heartbeat_;
    if (silent && !late) {
      append_chunk(heartbeat_bytes_);
      written_ = now;
      wake();
    }
  }
  if (late) late();
}

bool Reply::overflowed() {
  std::lock_guard lock(mutex_);
  return phase_ == Phase::overflow;
}

bool Reply::answered() {
  std::lock_guard lock(mutex_);
  return phase_ == Phase::complete;
}

void Reply::abandon() {
  send(500, {}, "");
  break_off();
}

void Reply::set_keep_alive(bool on) {
  std::lock_guard lock(mutex_);
  shape_.keep_alive = on;
}

}  // namespace plinth::net
