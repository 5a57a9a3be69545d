// Any bytes as the certificate of an authority: a refusal, or what is read again as the same.
#include <cstdlib>
#include <string_view>

#include "governance/client_ca.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plinth::governance;
  const auto read = parse_client_ca({reinterpret_cast<const char*>(data), size}, 1'700'000'000);
  if (!read.ok()) return 0;
  const auto again = parse_client_ca(read->pem, 1'700'000'000);
  if (!again.ok() || again->pem != read->pem || again->fingerprint != read->fingerprint)
    std::abort();
  return 0;
}
