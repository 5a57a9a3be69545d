// The certificate of an authority that signs clients' certificates, as an administrator uploads it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

struct ClientCa {
  std::string pem;          // written anew: nothing of the upload but the certificate
  std::string fingerprint;  // SHA-256 of its DER, in lower-case hexadecimal digits
  std::string subject;      // RFC 2253, to show
  std::int64_t valid_s = 0, expires_s = 0;
};

// InvalidArgument says what is wrong: no PEM certificate, more than one or something beside it (a
// private key, say), no authority, a weak key, expired by now_s.
absl::StatusOr<ClientCa> parse_client_ca(std::string_view pem, std::int64_t now_s);

}  // namespace plinth::governance
