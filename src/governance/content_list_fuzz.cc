// Any line as one of a backup's list: what is taken for one is written back as the same.
#include <cstdlib>
#include <string_view>

#include "governance/content_list.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plinth::governance;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto file = parse_content_line(line);
  if (!file.ok()) return 0;
  auto again = content_line(*file);
  again.pop_back();
  if (again != line) std::abort();
  return 0;
}
