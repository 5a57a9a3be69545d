// MD5 over OpenSSL: what some clients say of a body, to find what broke on the way. No protection
// against anybody.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

class Md5 {
 public:
  // Unimplemented where this machine's policy allows no MD5.
  static absl::StatusOr<Md5> open();
  Md5(Md5&&) noexcept;
  Md5& operator=(Md5&&) noexcept;
  ~Md5();
  void update(std::string_view bytes);
  std::string hex();  // ends the digest: 32 lower-case digits

 private:
  struct Impl;
  explicit Md5(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
