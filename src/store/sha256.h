// Incremental SHA-256 over OpenSSL, and of a whole file.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace plinth::store {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(std::span<const char> bytes);
  std::string hex();  // ends the digest: 64 lower-case digits

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `progress` is told how many bytes have been read.
absl::StatusOr<std::string> sha256_file(const std::string& path,
                                        const std::function<void(std::uint64_t)>& progress = {});

bool is_sha256_hex(std::string_view text);

}  // namespace plinth::store
