// Any bytes as what `plinth admin recover` and a service say to each other: an error, or what says
// the same when it is written and read again.
#include <cstdlib>
#include <string_view>

#include "governance/recovery.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plinth::governance;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = parse_recovery(text); request.ok()) {
    const auto again = parse_recovery(to_text(*request));
    if (!again.ok() || *again != *request) std::abort();
  }
  if (const auto made = parse_recovered(text); made.ok()) {
    const auto again = parse_recovered(to_text(made));
    if (!again.ok() || again->key != made->key || again->expires_unix_s != made->expires_unix_s)
      std::abort();
  }
  return 0;
}
