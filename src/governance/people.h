// Who belongs to an organization, in which groups and projects, and with which roles.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "governance/random_bytes.h"
#include "governance/role_book.h"
#include "store/group_store.h"
#include "store/person_store.h"
#include "store/role_store.h"

namespace plinth::governance {

// OpenAI's words for what these assignments make of somebody: "owner" or "reader" in the
// organization, "owner" or "member" in a project.
std::string_view organization_word(const std::vector<store::AssignmentRow>& roles);
std::string_view project_word(const std::vector<store::AssignmentRow>& roles,
                              std::string_view project);

// Thread-safe. `who` asks for a change, in their own organization: PermissionDenied where they have
// less than they give or take away. NotFound names who or what does not exist; InvalidArgument what
// is wrong, such as a change that takes the last owner. Whether `who` may change people at all, the
// caller has looked at.
class People {
 public:
  // `changed` runs after each change of what people may. The references outlive it.
  People(store::Database& database, const base::Clock& clock, RandomBytes random,
         std::function<void()> changed);

  RoleBook& roles() { return roles_; }
  store::PersonStore& users() { return users_; }     // to read
  store::GroupStore& groups() { return groups_; }    // to read
  store::RoleStore& assignments() { return rows_; }  // to read
  // 24 hexadecimal digits behind the prefix.
  absl::StatusOr<std::string> new_id(std::string_view prefix) const;

  // What a user may everywhere, and in one project ("" = in the organization): nothing where there
  // is no such user or they are disabled.
  absl::StatusOr<Grants> permissions_of(const std::string& organization, const std::string& user);
  absl::StatusOr<PermissionSet> permissions_of(const std::string& organization,
                                               const std::string& user, std::string_view project);

  // Adds somebody without an invite, as an identity provider may; its id is made here. Gives no
  // role.
  absl::StatusOr<store::PersonRow> add(store::PersonRow row);
  // Their keys and sessions end at once; enabling brings none back.
  absl::Status disable(const Principal& who, const std::string& user);
  absl::Status enable(const Principal& who, const std::string& user);
  absl::Status remove(const Principal& who, const std::string& user);

  // project "" = in the organization. In a project the subject becomes its member.
  absl::Status give(const Principal& who, const store::Subject& subject, const std::string& project,
                    const std::string& role);
  absl::Status take(const Principal& who, const store::Subject& subject, const std::string& project,
                    const std::string& role);
  // By OpenAI's words: what the other word gives is taken, other roles stay.
  absl::Status set_organization_word(const Principal& who, const std::string& user,
                                     std::string_view word);
  absl::Status set_project_word(const Principal& who, const std::string& user,
                                const std::string& project, std::string_view word);
  absl::Status remove_from_project(const Principal& who, const store::Subject& subject,
                                   const std::string& project);

  absl::StatusOr<store::GroupRow> create_group(const Principal& who, const std::string& name);
  absl::Status rename_group(const Principal& who, const std::string& group,
                            const std::string& name);
  absl::Status remove_group(const Principal& who, const std::string& group);
  absl::Status add_to_group(const Principal& who, const std::string& group,
                            const std::string& user);
  absl::Status remove_from_group(const Principal& who, const std::string& group,
                                 const std::string& user);

 private:
  absl::Status check_exists(const Principal& who, const store::Subject& subject);
  absl::Status change(const Principal& who, const store::Subject& subject,
                      const std::string& project, const std::vector<std::string>& take,
                      const std::string& add);
  // Whether `who` may take all that these assignments give.
  absl::Status check_may_take(const Principal& who,
                              const std::vector<store::AssignmentRow>& assignments);
  absl::Status done(const absl::Status& status) const;

  const base::Clock& clock_;
  const RandomBytes random_;
  const std::function<void()> changed_;
  store::PersonStore users_;
  store::GroupStore groups_;
  store::RoleStore rows_;
  RoleBook roles_;
};

}  // namespace plinth::governance
