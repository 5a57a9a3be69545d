// Any bytes as an event stream, cut in two: the same events as in one piece.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "net/sse_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> whole, cut;
  plinth::net::SseReader one([&](std::string_view event) { whole.emplace_back(event); });
  plinth::net::SseReader two([&](std::string_view event) { cut.emplace_back(event); });
  const size_t middle = size / 2;
  const bool first = one.feed(body).ok();
  const bool second = two.feed(body.substr(0, middle)).ok() && two.feed(body.substr(middle)).ok();
  if (first != second || (first && whole != cut)) std::abort();
  return 0;
}
