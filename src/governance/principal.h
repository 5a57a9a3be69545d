// Who asks, and what they may.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "governance/permission.h"

namespace plinth::governance {

// What somebody may, where.
struct Grants {
  PermissionSet organization;                                  // in every project, too
  std::map<std::string, PermissionSet, std::less<>> projects;  // besides, in these

  PermissionSet in(std::string_view project) const;
  void add(const std::string& project, PermissionSet more);  // project "" = the organization
  // All of it, wherever.
  PermissionSet anywhere() const;
};

// The kind of a key.
enum class Role { project, admin };

struct Principal {
  std::string key_id;
  std::string organization = "default";
  std::string project;  // the one that the key is of; "" for admin keys
  Role role = Role::project;
  std::string service_account;      // whose key it is; "" = no program's in particular
  std::string user;                 // whose key it is; "" = nobody's in particular
  std::vector<std::string> models;  // that it may call; empty = every one
  Grants grants;
  // May be given to others although the principal itself has it not: admin keys hand out inference.
  PermissionSet delegable;

  bool may_call(std::string_view model) const;
  // project "" = in the organization.
  bool may(Permission permission, std::string_view project) const;
  // Nobody can give more than they have. PermissionDenied names what is missing.
  absl::Status check_may_give(PermissionSet set, std::string_view project) const;
  // Nor take away what is beyond them: who manages some cannot dismiss who manages all. Inference
  // may be taken by everybody who may take at all.
  absl::Status check_may_take(PermissionSet set, std::string_view project) const;
};

}  // namespace plinth::governance
