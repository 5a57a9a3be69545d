// Rows of API keys. Holds no secret: only its HMAC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

struct KeyRow {
  std::string id;
  std::string project;
  std::string name;
  std::string role;         // "project" or "admin"
  std::string secret_hmac;  // lower-case hex
  std::int64_t created_unix_s = 0;
  std::optional<std::int64_t> revoked_unix_s;
};

// Thread-safe as its Database is.
class KeyStore {
 public:
  explicit KeyStore(Database& database) : database_(database) {}
  absl::Status insert(const KeyRow& row);
  absl::StatusOr<KeyRow> find(const std::string& id);
  absl::StatusOr<std::vector<KeyRow>> list();
  // NotFound where there is no such key; revoking twice keeps the first time.
  absl::Status revoke(const std::string& id, std::int64_t unix_s);

 private:
  Database& database_;
};

}  // namespace plinth::store
