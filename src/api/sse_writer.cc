#include "api/sse_writer.h"

namespace plinth::api {

void append_event(std::string& out, std::string_view document) {
  out.append("data: ").append(document).append("\n\n");
}

void append_event(std::string& out, const base::json::object& document) {
  append_event(out, base::to_json(document));
}

void append_done(std::string& out) { append_event(out, "[DONE]"); }

}  // namespace plinth::api
