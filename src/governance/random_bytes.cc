#include "governance/random_bytes.h"

#include <openssl/rand.h>

namespace plinth::governance {

absl::StatusOr<std::string> system_random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) {
    return base::internal("[random] no random bytes");
  }
  return bytes;
}

}  // namespace plinth::governance
