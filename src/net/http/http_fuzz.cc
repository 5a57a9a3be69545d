// The bytes of a connection: never a crash, never more memory than the limits allow, and the same
// requests however the bytes are cut.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/http/request_reader.h"

namespace {

using plinth::net::ReadState;
using plinth::net::RequestReader;

constexpr std::uint64_t kStreamedMax = 8192;

const plinth::net::ReadLimits kLimits{
    .body_bytes_max = 4096,
    .header_bytes_max = 1024,
    .uri_bytes_max = 256,
    .headers_max = 16,
    .streamed = [](std::string_view, std::string_view path) -> std::optional<std::uint64_t> {
      return path == "/s" ? std::optional(kStreamedMax) : std::nullopt;
    }};

struct Seen {
  std::vector<std::string> requests;
  bool refused = false;
};

Seen read(std::string_view bytes, std::size_t piece) {
  RequestReader reader(kLimits);
  Seen seen;
  std::string streamed;
  while (!bytes.empty() && reader.state() != ReadState::refused) {
    reader.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    if (reader.streams()) streamed += reader.take_body();
    if (streamed.size() > kStreamedMax) std::abort();
    while (reader.state() == ReadState::ready) {
      if (reader.streams()) {
        const auto head = reader.take_head().request;
        streamed += reader.take_body();
        seen.requests.push_back(head.method + "s?" + head.query + "\n" +
                                std::exchange(streamed, {}));
        reader.finish_streamed();
        continue;
      }
      const auto request = reader.take().request;
      if (request.body.size() > kLimits.body_bytes_max) std::abort();
      seen.requests.push_back(request.method + request.path + "?" + request.query + "\n" +
                              request.body);
    }
    if (reader.bytes_left() > kLimits.header_bytes_max) std::abort();
  }
  seen.refused = reader.state() == ReadState::refused;
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto one = read(bytes, 1), seven = read(bytes, 7);
  // Where a limit ends it, a larger piece may have let one more request through.
  if (!one.refused && !seven.refused && one.requests != seven.requests) std::abort();
  return 0;
}
