// Any line as a tombstone: what is taken for one is written back as the same.
#include <cstdlib>
#include <string_view>

#include "governance/vault/tombstones.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plinth::governance;
  const auto row = parse_tombstone({reinterpret_cast<const char*>(data), size});
  if (!row.ok()) return 0;
  auto line = tombstone_line(*row);
  line.pop_back();
  const auto again = parse_tombstone(line);
  if (!again.ok() || !(*again == *row)) std::abort();
  return 0;
}
