// Rows of custom roles, of who has which role, and of who belongs to a project. A role is an id
// here; what it allows, governance knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct RoleRow {
  std::string id;
  std::string organization = "default";
  std::string project;  // whose it is; "" = the organization's
  std::string name;     // one of an organization or project
  std::optional<std::string> description;
  std::string permissions;  // a JSON array
  std::int64_t created_s = 0, updated_s = 0;
};

// Who has a role.
struct Subject {
  std::string kind;  // "user" or "group"
  std::string id;
  bool operator==(const Subject&) const = default;
};
inline Subject user_subject(const std::string& id) { return {"user", id}; }
inline Subject group_subject(const std::string& id) { return {"group", id}; }

struct AssignmentRow {
  Subject subject;
  std::string project;  // "" = in all of the organization
  std::string role;
  std::int64_t assigned_s = 0;
};

struct MemberRow {
  Subject subject;
  std::int64_t added_s = 0;
};

// Thread-safe as its Database is. NotFound names what does not exist. InvalidArgument where a
// change would take the organization's last owner.
class RoleStore {
 public:
  explicit RoleStore(Database& database) : database_(database) {}

  // AlreadyExists for a taken name.
  absl::Status insert(const RoleRow& row);
  absl::StatusOr<RoleRow> find(const std::string& organization, const std::string& project,
                               const std::string& id);
  // All of an organization ("") or project, oldest first: their number is bounded by whoever
  // inserts.
  absl::StatusOr<std::vector<RoleRow>> list(const std::string& organization,
                                            const std::string& project);
  absl::Status update(const RoleRow& row);
  // Nobody has it afterwards.
  absl::Status remove(const std::string& organization, const std::string& id);

  // Gives `add` ("" = none) and takes `take`, together. With a project the subject becomes its
  // member.
  absl::Status change(const std::string& organization, const Subject& subject,
                      const std::string& project, const std::vector<std::string>& take,
                      const std::string& add, std::int64_t time_s);
  // Roles of a subject itself, everywhere.
  absl::StatusOr<std::vector<AssignmentRow>> roles_of(const Subject& subject);
  // And those that a user has through groups.
  absl::StatusOr<std::vector<AssignmentRow>> all_roles_of_user(const std::string& person);

  absl::StatusOr<Page<MemberRow>> members(const std::string& project, const std::string& kind,
                                          const PageRequest& page);
  absl::StatusOr<MemberRow> member(const std::string& project, const Subject& subject);
  // Takes the roles in the project along.
  absl::Status remove_member(const std::string& project, const Subject& subject);

 private:
  Database& database_;
};

}  // namespace plinth::store
