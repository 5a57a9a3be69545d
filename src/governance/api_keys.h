// API keys: sk-plinth-<id>-<secret><crc>. The checksum rejects typing errors without a look-up, and
// lets secret scanners recognise a leaked key.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/key_store.h"

namespace plinth::governance {

enum class Role { project, admin };

struct Principal {
  std::string key_id;
  std::string project;
  Role role = Role::project;
};

struct Credentials {
  std::string api_key;
  std::string admin_key;
  bool created = false;  // this start made them
};

// Thread-safe. Checked keys are remembered for kCacheSeconds, so that a request costs no database
// read; a revocation through this object takes effect at once.
class ApiKeys {
 public:
  // `home` holds secrets/ (0700) and `keys` the rows. Makes the pepper on first use.
  static absl::StatusOr<std::unique_ptr<ApiKeys>> open(const std::string& home,
                                                       store::Database& database,
                                                       const base::Clock& clock);
  ~ApiKeys();

  // The key's text, which is never stored: the caller shows it once.
  absl::StatusOr<std::string> create(const std::string& project, const std::string& name,
                                     Role role);
  // Unauthenticated where the text is no key of ours or was revoked. Compares in constant time.
  absl::StatusOr<Principal> authenticate(std::string_view key);
  absl::Status revoke(const std::string& id);
  absl::StatusOr<std::vector<store::KeyRow>> list();

  // On a home's first start one project key and one admin key, kept in secrets/credentials.toml
  // (0600) for the local command line; later the same two.
  absl::StatusOr<Credentials> first_start();

 private:
  struct Impl;
  explicit ApiKeys(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// For the local command line: what first_start() kept. NotFound before the first start.
absl::StatusOr<Credentials> read_credentials(const std::string& home);

// "sk-plinth-ab***xyz": what messages may show of a key.
std::string mask_key(std::string_view key);

}  // namespace plinth::governance
