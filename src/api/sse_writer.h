// Server-sent events (WHATWG HTML, "Server-sent events"): the few bytes around a document.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/json.h"

namespace plinth::api {

inline constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";
// A comment, which clients skip: keeps proxies from closing a stream that is silent.
inline constexpr std::string_view kPing = ": ping\n\n";
// Proxies close what is silent for 30 to 60 s; a long prompt may take that on a small machine.
inline constexpr std::chrono::seconds kPingInterval{10};

// "data: ...\n\n". The document is one line, as JSON is.
void append_event(std::string& out, std::string_view document);
void append_event(std::string& out, const base::json::object& document);
// OpenAI's end of a stream.
void append_done(std::string& out);

}  // namespace plinth::api
