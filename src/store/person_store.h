// Rows of people: who belongs to an organization.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct PersonRow {
  std::string id;
  std::string organization = "default";
  std::optional<std::string> email;  // as it was given; one of an organization, whatever its case
  std::string name;
  // Who signs in, as the provider names them for good; both or neither.
  std::optional<std::string> issuer, subject;
  std::optional<std::string> password_phc;  // where the password is kept here
  std::int64_t added_s = 0;
  std::optional<std::int64_t> disabled_s;
};

// Thread-safe as its Database is. NotFound names who does not exist.
class PersonStore {
 public:
  explicit PersonStore(Database& database) : database_(database) {}

  // AlreadyExists for a taken address or identity.
  absl::Status insert(const PersonRow& row);
  absl::StatusOr<PersonRow> find(const std::string& organization, const std::string& id);
  absl::StatusOr<PersonRow> find_by_email(const std::string& organization,
                                          const std::string& email);
  absl::StatusOr<PersonRow> find_by_identity(const std::string& issuer, const std::string& subject);
  // `emails`: of these addresses alone; empty = everybody.
  absl::StatusOr<Page<PersonRow>> list(const std::string& organization,
                                       const std::vector<std::string>& emails,
                                       const PageRequest& page);
  absl::Status rename(const std::string& id, const std::string& name);
  // Who signs in as this person from now on. AlreadyExists where it is somebody else.
  absl::Status set_identity(const std::string& id, const std::string& issuer,
                            const std::string& subject);
  // Replaces the password if it still is `expected`, else changes nothing and says Aborted.
  absl::Status set_password(const std::string& id, const std::optional<std::string>& expected,
                            const std::string& phc);

  // Ends the person's keys and sessions; enabling brings none back. InvalidArgument for the last
  // owner, as in remove().
  absl::Status disable(const std::string& organization, const std::string& id, std::int64_t time_s);
  absl::Status enable(const std::string& organization, const std::string& id);
  // Takes roles, memberships and sessions along; keys stay as revoked ones, for the record.
  absl::Status remove(const std::string& organization, const std::string& id, std::int64_t time_s);

  // When one of the person's keys was used last.
  absl::StatusOr<std::optional<std::int64_t>> key_last_used_s(const std::string& id);

 private:
  Database& database_;
};

}  // namespace plinth::store
