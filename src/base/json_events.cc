#include "base/json_events.h"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <string>

namespace plinth::base {

namespace {

// What Boost's parser calls. Strings may come in parts; an event's error is kept and stops it.
struct Handler {
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();
  using Error = boost::system::error_code;
  using View = json::string_view;

  JsonEvents& events;
  absl::Status status;
  std::string held;

  bool take(absl::Status outcome, Error& error) {
    if (outcome.ok()) return true;
    status = std::move(outcome);
    error = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
    return false;
  }
  bool hold(View part) {
    held.append(part.data(), part.size());
    return true;
  }
  std::string whole(View last) {
    held.append(last.data(), last.size());
    return std::exchange(held, {});
  }

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error& error) { return take(events.begin_object(), error); }
  bool on_object_end(std::size_t, Error& error) { return take(events.end_object(), error); }
  bool on_array_begin(Error& error) { return take(events.begin_array(), error); }
  bool on_array_end(std::size_t, Error& error) { return take(events.end_array(), error); }
  bool on_key_part(View part, std::size_t, Error&) { return hold(part); }
  bool on_key(View last, std::size_t, Error& error) { return take(events.key(whole(last)), error); }
  bool on_string_part(View part, std::size_t, Error&) { return hold(part); }
  bool on_string(View last, std::size_t, Error& error) {
    return take(events.text(whole(last)), error);
  }
  bool on_number_part(View, Error&) { return true; }
  bool on_int64(std::int64_t value, View, Error& error) {
    return take(events.integer(value), error);
  }
  bool on_uint64(std::uint64_t value, View, Error& error) {
    return take(events.number(static_cast<double>(value)), error);
  }
  bool on_double(double value, View, Error& error) { return take(events.number(value), error); }
  bool on_bool(bool value, Error& error) { return take(events.boolean(value), error); }
  bool on_null(Error& error) { return take(events.null(), error); }
  bool on_comment_part(View, Error&) { return true; }
  bool on_comment(View, Error&) { return true; }
};

}  // namespace

absl::Status read_json_events(std::string_view text, JsonEvents& events, const JsonLimits& limits,
                              std::size_t offset) {
  if (text.size() > limits.bytes_max) {
    return resource_exhausted(fmt::format("[json] document of {} bytes is over the limit of {}",
                                          text.size(), limits.bytes_max));
  }
  json::parse_options options;
  options.max_depth = limits.depth_max;
  json::basic_parser<Handler> parser(options, Handler{events, {}, {}});
  boost::system::error_code error;
  const std::size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  auto& handler = parser.handler();
  if (!handler.status.ok())
    return annotate(handler.status, fmt::format("byte {}", offset + consumed));
  if (error) {
    return invalid_argument(fmt::format("[json] byte {}: {}", offset + consumed, error.message()));
  }
  const auto rest = text.find_first_not_of(" \t\r\n", consumed);
  if (rest != std::string_view::npos) {
    return invalid_argument(
        fmt::format("[json] byte {}: extra data after the document", offset + rest));
  }
  return absl::OkStatus();
}

}  // namespace plinth::base
