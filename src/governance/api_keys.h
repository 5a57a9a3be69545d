// API keys: sk-plinth-<id>-<secret><crc>. The checksum rejects typing errors without a look-up, and
// lets secret scanners recognise a leaked key.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "governance/key_rights.h"
#include "governance/principal.h"
#include "store/key_store.h"

namespace plinth::governance {

// What a key is made for.
struct KeySpec {
  std::string organization = "default";
  std::string project;  // "" for admin keys
  std::string name;
  Role role = Role::project;
  std::string service_account = {};
  std::string user = {};  // who owns it; its rights end with theirs
  std::vector<std::string> models = {};
  std::vector<std::string> networks = {};  // "10.0.0.0/8", "::1"; empty = from everywhere
  std::optional<std::int64_t> expires_unix_s = {};
  // What it may do instead of what keys of its kind may: key_rights.h.
  std::optional<PermissionSet> scopes = {};
};

struct NewKey {
  std::string text;  // never stored: the caller shows it once
  store::KeyRow row;
};

struct Credentials {
  std::string api_key;
  std::string admin_key;
  bool created = false;  // this start made them
};

// Thread-safe. Checked keys are remembered for kCacheSeconds, so that a request costs no database
// read, and so are ids that no key has; a revocation through this object takes effect at once.
class ApiKeys {
 public:
  // `home` holds secrets/ (0700) and `keys` the rows. Makes the pepper on first use.
  static absl::StatusOr<std::unique_ptr<ApiKeys>> open(const std::string& home,
                                                       store::Database& database,
                                                       const base::Clock& clock);
  ~ApiKeys();

  // InvalidArgument names the network that is none.
  absl::StatusOr<NewKey> create(const KeySpec& spec);
  // A new key that may do what the old one may; the old one ends `overlap` from now.
  absl::StatusOr<NewKey> rotate(const std::string& id, std::chrono::seconds overlap);
  // `peer`: the address that asks, "" = this machine's own socket. Unauthenticated where the text
  // is no key of ours, was revoked or has expired; PermissionDenied from a network that is not the
  // key's. Compares in constant time.
  absl::StatusOr<Principal> authenticate(std::string_view key, std::string_view peer = "");
  // Writes when keys were used since, all in one transaction, at most once a minute unless it must
  // be `now`. Apart from authenticate(), so that no request waits for an act on its key.
  void write_uses(bool now = false);
  absl::Status revoke(const std::string& id);
  // Changes what an existing key may do; nothing = what keys of its kind may.
  absl::Status set_scopes(const std::string& id, const std::optional<PermissionSet>& scopes);
  absl::Status set_expiry(const std::string& id, std::int64_t unix_s);
  // What a key gives whoever holds it, as things stand.
  absl::StatusOr<KeyRights> rights(const store::KeyRow& row);
  // Reads every key anew at its next use: for whoever changed what people or programs may.
  void forget();
  // Every key of a project.
  absl::Status revoke_project(const std::string& project);
  absl::StatusOr<store::KeyRow> find(const std::string& id);
  // Those that are not revoked. project "" = of every one.
  absl::StatusOr<store::Page<store::KeyRow>> list(Role role, const std::string& project,
                                                  const store::PageRequest& page);

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

// The id in a key's text, which is no secret; "" where it is no key.
std::string_view key_id(std::string_view key);

// "sk-plinth-ab***xyz": what messages may show of a key.
std::string mask_key(std::string_view key);

}  // namespace plinth::governance
