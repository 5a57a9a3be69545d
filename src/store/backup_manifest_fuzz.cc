// A manifest from anywhere: an error, or one whose names stay in its folder and that is written
// and read the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/backup_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plinth::store;
  const auto manifest = parse_backup_manifest({reinterpret_cast<const char*>(data), size});
  if (!manifest.ok()) return 0;
  for (const auto& file : manifest->files) {
    if (file.name.find('/') != std::string::npos || file.name.starts_with(".")) std::abort();
  }
  const auto text = to_json(*manifest);
  const auto again = parse_backup_manifest(text);
  if (!again.ok() || to_json(*again) != text) std::abort();
  return 0;
}
