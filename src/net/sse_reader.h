// Server-sent events, read: the data of each event from pieces of a body that may be cut anywhere.
// https://html.spec.whatwg.org/multipage/server-sent-events.html, without ids and event names.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::net {

class SseReader {
 public:
  // Longer than any event of a chat stream; more is a server that means harm.
  static constexpr std::size_t kEventBytesMax = 16u << 20;

  explicit SseReader(std::function<void(std::string_view data)> on_event)
      : on_event_(std::move(on_event)) {}
  // ResourceExhausted for an event beyond the bound.
  absl::Status feed(std::string_view piece);

 private:
  void line(std::string_view text);

  const std::function<void(std::string_view)> on_event_;
  std::string partial_;  // the line that has no end yet
  std::string data_;     // of the event that has no end yet
  bool has_data_ = false;
};

}  // namespace plinth::net
