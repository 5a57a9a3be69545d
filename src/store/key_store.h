// Rows of API keys. Holds no secret: only its HMAC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct KeyRow {
  std::string id;
  std::string organization = "default";
  std::string project;
  std::string name;
  std::string role;                                    // "project" or "admin"
  std::string secret_hmac;                             // lower-case hex
  std::string hint;                                    // what lists show of the key
  std::optional<std::string> service_account, person;  // whose key it is; at most one
  // JSON arrays of strings; nothing allows everything.
  std::optional<std::string> models, networks, scopes;
  std::int64_t created_unix_s = 0;
  std::optional<std::int64_t> expires_unix_s, revoked_unix_s, last_used_unix_s;
};

// Thread-safe as its Database is.
class KeyStore {
 public:
  explicit KeyStore(Database& database) : database_(database) {}
  absl::Status insert(const KeyRow& row);
  absl::StatusOr<KeyRow> find(const std::string& id);
  // Every key that is not revoked. project "" = of no project in particular.
  absl::StatusOr<Page<KeyRow>> list(const std::string& role, const std::string& project,
                                    const PageRequest& page);
  // NotFound where there is no such key; revoking twice keeps the first time.
  absl::Status revoke(const std::string& id, std::int64_t unix_s);
  absl::Status revoke_project(const std::string& project, std::int64_t unix_s);
  absl::Status expire(const std::string& id, std::int64_t unix_s);
  absl::Status set_scopes(const std::string& id, const std::optional<std::string>& scopes);
  // When keys were used last, written once in a while and in one transaction.
  absl::Status touch(const std::vector<std::pair<std::string, std::int64_t>>& used);

 private:
  Database& database_;
};

}  // namespace plinth::store
