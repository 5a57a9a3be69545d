// The text form of an argon2id hash, as the Password Hashing Competition defined it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "governance/passwords.h"

namespace plinth::governance {

struct Phc {
  PasswordCost cost;
  std::string salt;  // raw bytes, 8 to 64
  std::string hash;  // raw bytes, 16 to 64
};

std::string to_phc(const Phc& phc);
// Nothing unless `text` is what to_phc() writes, within the bounds of limits.h.
std::optional<Phc> parse_phc(std::string_view text);

}  // namespace plinth::governance
