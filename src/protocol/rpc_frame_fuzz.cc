// Any bytes through both decoders; what decodes must encode and decode again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plinth::protocol;
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  if (const auto message = decode_to_gateway(frame); message.ok())
    if (!decode_to_gateway(encode(*message)).ok()) std::abort();
  if (const auto message = decode_to_worker(frame); message.ok())
    if (!decode_to_worker(encode(*message)).ok()) std::abort();
  return 0;
}
