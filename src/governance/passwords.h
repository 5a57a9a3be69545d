// Passwords of local users: argon2id (RFC 9106), kept as a PHC string, which holds its own cost:
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "governance/random_bytes.h"

namespace plinth::governance {

// OWASP's first choice for argon2id: 19 MiB keep a graphics card from trying many at once, and one
// lane fits a server whose other cores are busy. Some 30 ms.
struct PasswordCost {
  std::uint32_t memory_kib = 19 * 1024;
  std::uint32_t passes = 2;
  std::uint32_t lanes = 1;
  bool operator==(const PasswordCost&) const = default;
};

// Whether it may become somebody's password: kPasswordCharsMin characters or more, at most
// kPasswordBytesMax bytes of UTF-8. Any characters; no rule about their kinds, which would only
// make passwords alike (NIST SP 800-63B).
absl::Status check_new_password(std::string_view password);

// The PHC string under a new salt of 16 bytes; a hash of 32. InvalidArgument where the password is
// no UTF-8 or too long. The text is taken in normal form C, so that keyboards which compose
// letters differently give one password (RFC 8265).
absl::StatusOr<std::string> hash_password(std::string_view password, const RandomBytes& random,
                                          const PasswordCost& cost = {});

// Whether the password is the one that was hashed; compares in constant time. A password that
// hash_password would refuse is nobody's, at the same cost. DataLoss where `phc` is damaged or
// asks for more than limits.h allows.
absl::StatusOr<bool> password_fits(std::string_view password, std::string_view phc);

// Whether `phc` was made with another cost: hash again at the next sign-in.
bool needs_rehash(std::string_view phc, const PasswordCost& cost = {});

}  // namespace plinth::governance
