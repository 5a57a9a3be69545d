// Rows of invites: who may join an organization, and with which roles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/database.h"
#include "store/paging.h"
#include "store/person_store.h"

namespace plinth::store {

struct InviteRow {
  std::string id;
  std::string organization = "default";
  std::string email;
  std::string role;        // in the organization; "" = none
  std::string projects;    // a JSON array of {"id", "role"}
  std::string token_hash;  // SHA-256 in hexadecimal digits
  std::int64_t created_s = 0, expires_s = 0;
  std::optional<std::int64_t> accepted_s;
};

// Thread-safe as its Database is. NotFound names what does not exist.
class InviteStore {
 public:
  explicit InviteStore(Database& database) : database_(database) {}

  // AlreadyExists where the address belongs to somebody already, or an invite that is good at
  // `created_s` waits for it.
  absl::Status insert(const InviteRow& row);
  absl::StatusOr<InviteRow> find(const std::string& organization, const std::string& id);
  absl::StatusOr<InviteRow> find_by_token(const std::string& token_hash);
  // The one that waits for this address, whatever its case.
  absl::StatusOr<InviteRow> find_open(const std::string& organization, const std::string& email,
                                      std::int64_t now_s);
  absl::StatusOr<Page<InviteRow>> list(const std::string& organization, const PageRequest& page);
  absl::Status remove(const std::string& organization, const std::string& id);

  // Makes the person with these roles, each (project or "" = the organization, role), and marks
  // the invite, together. NotFound unless it was still open; AlreadyExists as of
  // PersonStore::insert().
  absl::Status accept(const std::string& id, const PersonRow& person,
                      const std::vector<std::pair<std::string, std::string>>& roles,
                      std::int64_t time_s);

 private:
  Database& database_;
};

}  // namespace plinth::store
