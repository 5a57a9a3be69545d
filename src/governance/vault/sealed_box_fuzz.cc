// Any bytes as a box, and as the content of one: what is no box is refused, what is sealed opens,
// and no changed byte does.
#include <cstdlib>
#include <string>
#include <string_view>

#include "governance/vault/sealed_box.h"

namespace {

using namespace plinth::governance;

void expect(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto counted = [](std::size_t count) -> absl::StatusOr<std::string> {
    return std::string(count, 'r');
  };
  const auto key = *KeyBytes::make(counted);
  const SealedFor place{"org", "proj", "kind", "id"};
  // Nobody who has not got the key makes a box.
  expect(!open_box(key, place, bytes).ok());
  auto box = *seal_box(key, std::string(kKeyIdBytes, 'k'), place, bytes, counted);
  const auto opened = open_box(key, place, box);
  expect(opened.ok() && *opened == bytes);
  const auto at = size == 0 ? 0 : data[0] % box.size();
  box[at] = static_cast<char>(box[at] ^ 1);
  expect(!open_box(key, place, box).ok());
  return 0;
}
