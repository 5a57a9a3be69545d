// What a caller may do. Every route names one of these, every role is a set of them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::governance {

enum class Permission : std::uint8_t {
  infer,
  read_models,
  read_files,
  manage_files,
  read_tuning,
  manage_tuning,
  manage_deployments,
  read_projects,
  manage_projects,
  read_people,
  manage_people,
  manage_keys,
  read_limits,
  manage_limits,
  read_usage,
  read_billing,
  manage_prices,
  read_audit,
  manage_content,
  decide_approvals,
  operate,
};

struct PermissionInfo {
  Permission permission;
  std::string_view name;  // in scopes, custom roles and messages: "keys.manage"
  std::string_view doc;
  // Counts for the whole installation: no role in a project gives it.
  bool organization_only = false;
};
// In the order of the enumeration.
std::span<const PermissionInfo> permissions();
const PermissionInfo& info(Permission permission);

class PermissionSet {
 public:
  constexpr PermissionSet() = default;
  constexpr PermissionSet(std::initializer_list<Permission> all) {
    for (const auto permission : all) bits_ |= bit(permission);
  }
  constexpr bool contains(Permission permission) const { return (bits_ & bit(permission)) != 0; }
  constexpr bool covers(PermissionSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr PermissionSet operator|(PermissionSet other) const { return of(bits_ | other.bits_); }
  constexpr PermissionSet operator&(PermissionSet other) const { return of(bits_ & other.bits_); }
  constexpr PermissionSet without(PermissionSet other) const { return of(bits_ & ~other.bits_); }
  constexpr bool operator==(const PermissionSet&) const = default;

 private:
  static constexpr std::uint32_t bit(Permission permission) {
    return std::uint32_t{1} << static_cast<unsigned>(permission);
  }
  static constexpr PermissionSet of(std::uint32_t bits) {
    PermissionSet set;
    set.bits_ = bits;
    return set;
  }
  std::uint32_t bits_ = 0;
};

PermissionSet all_permissions();
// What a role in a project can give at most.
PermissionSet project_permissions();

std::optional<Permission> parse_permission(std::string_view name);
// InvalidArgument names the first text that is no permission's name.
absl::StatusOr<PermissionSet> parse_permissions(const std::vector<std::string>& names);
std::vector<std::string> permission_names(PermissionSet set);

// As rows keep them: a JSON array of names. DataLoss where the text is none.
std::string to_row(PermissionSet set);
absl::StatusOr<PermissionSet> permissions_from_row(std::string_view text);

}  // namespace plinth::governance
