// Rows of sessions of people who have signed in, by the hash of their secret id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

struct PersonSessionRow {
  std::string id_hash, person;
  std::int64_t created_s = 0, last_seen_s = 0, expires_s = 0;
  // What the identity provider said of them at the sign-in, as governance writes it.
  std::optional<std::string> claims = {};
};

// Thread-safe as its Database is.
class SessionStore {
 public:
  explicit SessionStore(Database& database) : database_(database) {}
  // NotFound unless the person exists and is not disabled; AlreadyExists for a taken id.
  absl::Status insert(const PersonSessionRow& row);
  absl::StatusOr<PersonSessionRow> find(const std::string& id_hash);
  // Never brings back a row that was erased meanwhile: OK where there is none.
  absl::Status touch(const std::string& id_hash, std::int64_t last_seen_s);
  absl::Status erase(const std::string& id_hash);
  absl::Status erase_of(const std::string& person);
  // Those of one person, longest unused first.
  absl::StatusOr<std::vector<PersonSessionRow>> of(const std::string& person);
  // Drops those that expired, or were last seen, at or before these times.
  absl::Status erase_ended(std::int64_t expired_s, std::int64_t last_seen_s);
  absl::StatusOr<std::int64_t> count();

 private:
  Database& database_;
};

}  // namespace plinth::store
