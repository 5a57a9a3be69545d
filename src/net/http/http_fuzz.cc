// The bytes of a connection: never a crash, never more memory than the limits allow, and the same
// requests however the bytes are cut.
#include <cstdlib>
#include <string_view>
#include <vector>

#include "net/http/request_reader.h"

namespace {

using plinth::net::ReadState;
using plinth::net::RequestReader;

constexpr plinth::net::ReadLimits kLimits{
    .body_bytes_max = 4096, .header_bytes_max = 1024, .uri_bytes_max = 256, .headers_max = 16};

struct Seen {
  std::vector<std::string> requests;
  int refused = 0;
  bool operator==(const Seen&) const = default;
};

Seen read(std::string_view bytes, std::size_t piece) {
  RequestReader reader(kLimits);
  Seen seen;
  while (!bytes.empty() && reader.state() != ReadState::refused) {
    reader.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (reader.state() == ReadState::ready) {
      const auto request = reader.take().request;
      if (request.body.size() > kLimits.body_bytes_max) std::abort();
      seen.requests.push_back(request.method + request.path + "?" + request.query + "\n" +
                              request.body);
    }
    if (reader.bytes_left() > kLimits.header_bytes_max) std::abort();
  }
  seen.refused = reader.state() == ReadState::refused ? 1 : 0;
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!(read(bytes, 1) == read(bytes, 7))) std::abort();
  return 0;
}
