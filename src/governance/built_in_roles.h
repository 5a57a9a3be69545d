// The roles that every installation has, and what OpenAI calls them on the wire.
#pragma once

#include <span>
#include <string_view>

#include "governance/permission.h"

namespace plinth::governance {

struct BuiltInRole {
  std::string_view id;  // never changes
  std::string_view name;
  std::string_view doc;
  PermissionSet permissions;  // in a project without those that are organization_only
};

std::span<const BuiltInRole> built_in_roles();
// Null where there is none.
const BuiltInRole* built_in_role(std::string_view id);

inline constexpr std::string_view kOwner = "owner";
inline constexpr std::string_view kUser = "user";

// OpenAI knows two words for what somebody is. In the organization: "owner" has the role owner,
// "reader" has none for being there, and gets what projects and groups give. In a project: "owner"
// has the role owner there, "member" the role user.
inline constexpr std::string_view kWireOwner = "owner", kWireReader = "reader",
                                  kWireMember = "member";
// The role that a word gives, "" = none. InvalidArgument for other words.
absl::StatusOr<std::string_view> organization_role_of(std::string_view word);
absl::StatusOr<std::string_view> project_role_of(std::string_view word);

}  // namespace plinth::governance
