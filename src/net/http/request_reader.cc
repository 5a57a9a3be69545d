#include "net/http/request_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>

#include "net/http/arriving_body.h"

namespace plinth::net {

namespace {

namespace http = boost::beast::http;

// "0\r\n\r\n": Beast asserts that it never sees less of a chunk that turns out to be the last. No
// request in chunks can end with fewer bytes than these.
constexpr std::size_t kLastChunkBytes = 5;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// "http://host:port/path?query", which proxies send, is "/path?query".
std::string_view origin_form(std::string_view target) {
  if (target.starts_with('/') || target == "*") return target;
  const auto scheme = target.find("://");
  if (scheme == std::string_view::npos) return {};
  const auto slash = target.find('/', scheme + 3);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

}  // namespace

struct RequestReader::Parser {
  http::request_parser<ArrivingBody> http;
  bool head_checked = false, streams = false;
  std::uint64_t taken = 0;  // bytes of the body
};

namespace {

template <typename Message>
RequestReader::Taken request_of(const Message& message) {
  RequestReader::Taken taken;
  taken.keep_alive = message.keep_alive();
  taken.chunks = message.version() == 11;
  auto& request = taken.request;
  request.method = std::string(view(message.method_string()));
  const auto target = origin_form(view(message.target()));
  const auto mark = target.find('?');
  request.path = std::string(target.substr(0, mark));
  if (mark != std::string_view::npos) request.query = std::string(target.substr(mark + 1));
  for (const auto& field : message) {
    auto& value = request.headers[lower(view(field.name_string()))];
    if (!value.empty()) value += ", ";
    value += view(field.value());
  }
  return taken;
}

}  // namespace

RequestReader::RequestReader(const ReadLimits& limits) : limits_(limits) {}
RequestReader::~RequestReader() = default;

std::size_t RequestReader::bytes_left() const { return buffer_.size() - used_; }
std::size_t RequestReader::body_bytes() const {
  return parser_ == nullptr ? 0 : parser_->http.get().body().size();
}

ReadState RequestReader::refuse(int status, std::string_view reason) {
  refusal_ = {status, std::string(reason)};
  buffer_.clear();
  used_ = 0;
  parser_.reset();
  return state_ = ReadState::refused;
}

void RequestReader::drop() { refuse(0, ""); }

ReadState RequestReader::feed(std::string_view bytes) {
  if (state_ == ReadState::refused) return state_;
  buffer_.append(bytes);
  return state_ == ReadState::ready ? state_ : parse();
}

ReadState RequestReader::parse() {
  while (true) {
    if (parser_ == nullptr) {
      // An empty line before a request is tolerated (RFC 9112, 2.2).
      while (used_ < buffer_.size() && (buffer_[used_] == '\r' || buffer_[used_] == '\n')) ++used_;
      if (used_ == buffer_.size()) {
        buffer_.clear();
        used_ = 0;
        return state_ = ReadState::empty;
      }
      parser_ = std::make_unique<Parser>();
      parser_->http.header_limit(limits_.header_bytes_max);
      // What holds for this path is asked once it is known.
      parser_->http.body_limit(boost::none);
      state_ = ReadState::head;
    }
    const bool in_chunks = parser_->head_checked && parser_->http.chunked();
    if (in_chunks && buffer_.size() - used_ < kLastChunkBytes) break;
    boost::system::error_code error;
    const std::size_t parsed = parser_->http.put(
        boost::asio::const_buffer(buffer_.data() + used_, buffer_.size() - used_), error);
    used_ += parsed;
    if (error == http::error::body_limit) return refuse(413, "Request body is too large.");
    if (error == http::error::header_limit) {
      const bool in_line = parser_->http.get().target().empty();
      return in_line ? refuse(414, "The request's URL is too long.")
                     : refuse(431, "The request's headers are too large.");
    }
    if (error && error != http::error::need_more) {
      return refuse(400, "Malformed HTTP request: " + error.message() + ".");
    }
    if (parser_->http.is_header_done() && !parser_->head_checked) {
      parser_->head_checked = true;
      if (check_head() == ReadState::refused) return state_;
    }
    if (parser_->http.is_done()) return state_ = ReadState::ready;
    if (error == http::error::need_more || used_ == buffer_.size()) break;
  }
  buffer_.erase(0, used_);
  used_ = 0;
  // Only a chunk's header or a trailer is left here: Beast would let them grow for ever.
  if (buffer_.size() > limits_.header_bytes_max) {
    return refuse(431, "The request's chunk header is too large.");
  }
  return state_;
}

ReadState RequestReader::check_head() {
  const auto& head = parser_->http.get();
  if (head.target().size() > limits_.uri_bytes_max)
    return refuse(414, "The request's URL is too long.");
  if (origin_form(view(head.target())).empty())
    return refuse(400, "Malformed HTTP request: bad target.");
  const auto count = static_cast<std::size_t>(std::distance(head.begin(), head.end()));
  if (count > limits_.headers_max) return refuse(431, "The request has too many headers.");
  if (head.version() == 11 && head.count(http::field::host) != 1) {
    return refuse(400, "Malformed HTTP request: it needs one Host header.");
  }
  if (const auto expected = head.find(http::field::expect); expected != head.end()) {
    if (lower(view(expected->value())) != "100-continue") {
      return refuse(417, "This expectation cannot be met.");
    }
    expectation_ = head.version() == 11 && !parser_->http.is_done();
  }
  return check_body_length();
}

ReadState RequestReader::check_body_length() {
  const auto& head = parser_->http.get();
  const auto target = origin_form(view(head.target()));
  std::optional<std::uint64_t> most;
  if (limits_.streamed)
    most = limits_.streamed(view(head.method_string()), target.substr(0, target.find('?')));
  parser_->streams = most.has_value();
  const auto limit = most.value_or(limits_.body_bytes_max);
  const auto length = parser_->http.content_length();
  if (length && *length > limit) return refuse(413, "Request body is too large.");
  parser_->http.body_limit(limit);
  return state_ = ReadState::body;
}

bool RequestReader::take_expectation() {
  // Who has sent some of the body waits for nothing.
  const bool waits =
      expectation_ && state_ == ReadState::body && body_bytes() == 0 && bytes_left() == 0;
  expectation_ = false;
  return waits;
}

void RequestReader::begin_next() {
  parser_.reset();
  expectation_ = false;
  state_ = ReadState::empty;
  parse();
}

RequestReader::Taken RequestReader::take() {
  auto message = parser_->http.release();
  auto taken = request_of(message);
  taken.request.body = std::move(message.body());
  begin_next();
  return taken;
}

bool RequestReader::streams() const { return parser_ != nullptr && parser_->streams; }

RequestReader::Taken RequestReader::take_head() { return request_of(parser_->http.get()); }

std::string RequestReader::take_body() {
  if (parser_ == nullptr) return {};
  auto piece = std::exchange(parser_->http.get().body(), {});
  parser_->taken += piece.size();
  return piece;
}

std::uint64_t RequestReader::body_bytes_taken() const {
  return parser_ == nullptr ? 0 : parser_->taken + body_bytes();
}

void RequestReader::finish_streamed() { begin_next(); }

}  // namespace plinth::net
