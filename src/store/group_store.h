// Rows of groups of people, which share roles.
#pragma once

#include <cstdint>
#include <string>

#include "store/database.h"
#include "store/paging.h"
#include "store/person_store.h"

namespace plinth::store {

struct GroupRow {
  std::string id;
  std::string organization = "default";
  std::string name;
  std::int64_t created_s = 0;
};

// Thread-safe as its Database is. NotFound names what does not exist. InvalidArgument where a
// change would take the organization's last owner.
class GroupStore {
 public:
  explicit GroupStore(Database& database) : database_(database) {}

  absl::Status insert(const GroupRow& row);
  absl::StatusOr<GroupRow> find(const std::string& organization, const std::string& id);
  absl::StatusOr<Page<GroupRow>> list(const std::string& organization, const PageRequest& page);
  absl::Status rename(const std::string& organization, const std::string& id,
                      const std::string& name);
  // Takes its roles and memberships along.
  absl::Status remove(const std::string& organization, const std::string& id);

  // Adding twice keeps the first time.
  absl::Status add_member(const std::string& group, const std::string& person, std::int64_t time_s);
  absl::StatusOr<Page<PersonRow>> members(const std::string& group, const PageRequest& page);
  absl::StatusOr<PersonRow> member(const std::string& group, const std::string& person);
  absl::Status remove_member(const std::string& organization, const std::string& group,
                             const std::string& person);

 private:
  Database& database_;
};

}  // namespace plinth::store
