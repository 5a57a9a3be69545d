#include "governance/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/log.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

namespace {

constexpr char kDocument[] = "data_retention";
constexpr char kOrganization[] = "organization";
constexpr char kProject[] = "project";

// What belongs to an organization begins at the third.
constexpr std::array<std::string_view, 6> kTypes = {
    "organization_default",         "none",
    "zero_data_retention",          "modified_abuse_monitoring",
    "enhanced_zero_data_retention", "enhanced_modified_abuse_monitoring"};
constexpr std::string_view kOrganizationDefault = kTypes[3];

std::string body_of(const RetentionSetting& setting) {
  base::json::object body{{"type", setting.type}, {"legal_hold", setting.legal_hold}};
  if (setting.days) body["days"] = *setting.days;
  return base::to_json(body);
}

absl::StatusOr<RetentionSetting> read_setting(const store::DocumentRow& row) {
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(row.body));
  const auto bad = [&] { return base::data_loss("[retention] the setting of " + row.scope); };
  const auto* object = parsed.if_object();
  if (object == nullptr) return bad();
  RetentionSetting setting;
  const auto* type = object->if_contains("type");
  const auto* hold = object->if_contains("legal_hold");
  if (type == nullptr || !type->is_string() || hold == nullptr || !hold->is_bool()) return bad();
  setting.type = std::string(type->get_string());
  setting.legal_hold = hold->get_bool();
  if (const auto* days = object->if_contains("days"); days != nullptr) {
    if (!days->is_int64()) return bad();
    setting.days = days->get_int64();
  }
  return setting;
}

bool is_zero(std::string_view type) {
  return type == "zero_data_retention" || type == "enhanced_zero_data_retention";
}

absl::Status check(const RetentionSetting& setting, std::span<const std::string_view> types) {
  if (std::find(types.begin(), types.end(), setting.type) == types.end())
    return base::invalid_argument(
        fmt::format("[retention] retention_type: one of {}", fmt::join(types, ", ")));
  if (setting.days && (*setting.days < 1 || *setting.days > kRetentionDaysMax))
    return base::invalid_argument(
        fmt::format("[retention] days: 1 to {}, or null", kRetentionDaysMax));
  return absl::OkStatus();
}

}  // namespace

std::span<const std::string_view> organization_retention_types() {
  return std::span(kTypes).subspan(2);
}
std::span<const std::string_view> project_retention_types() { return kTypes; }

absl::StatusOr<std::unique_ptr<RetentionPolicies>> RetentionPolicies::open(
    store::DocumentStore& store, const base::Clock& clock) {
  std::unique_ptr<RetentionPolicies> made(new RetentionPolicies(store, clock));
  RETURN_IF_ERROR(made->refresh());
  return made;
}

absl::Status RetentionPolicies::refresh() {
  ASSIGN_OR_RETURN(const auto rows, store_.all(kDocument));
  std::map<std::pair<std::string, std::string>, RetentionSetting> found;
  for (const auto& row : rows) {
    // What cannot be read would delete too much, or too little: nobody goes on with a guess.
    ASSIGN_OR_RETURN(found[std::make_pair(row.name, row.scope)], read_setting(row));
  }
  std::lock_guard lock(mutex_);
  settings_ = std::move(found);
  return absl::OkStatus();
}

RetentionSetting RetentionPolicies::find(const std::string& kind, const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = settings_.find({kind, id});
  return found == settings_.end() ? RetentionSetting{} : found->second;
}

RetentionSetting RetentionPolicies::of_organization(const std::string& organization) const {
  auto setting = find(kOrganization, organization);
  if (setting.type == kTypes[0]) setting.type = kOrganizationDefault;
  return setting;
}

RetentionSetting RetentionPolicies::of_project(const std::string& project) const {
  return find(kProject, project);
}

Retention RetentionPolicies::effective(const std::string& organization,
                                       const std::string& project) const {
  const auto above = of_organization(organization);
  const auto own = project.empty() ? RetentionSetting{} : of_project(project);
  Retention all;
  all.zero_data = is_zero(own.type == kTypes[0] ? above.type : own.type);
  all.days = own.days ? own.days : above.days;
  all.legal_hold = own.legal_hold || above.legal_hold;
  return all;
}

absl::Status RetentionPolicies::put(const std::string& kind, const std::string& id,
                                    const RetentionSetting& setting) {
  const auto now_s = clock_.unix_seconds();
  // One of each kind in a scope: there are as many as there are projects.
  RETURN_IF_ERROR(store_.put({kDocument, id, kind, body_of(setting), now_s, now_s}, 2).status());
  std::lock_guard lock(mutex_);
  settings_[{kind, id}] = setting;
  return absl::OkStatus();
}

absl::Status RetentionPolicies::set_organization(const std::string& organization,
                                                 const RetentionSetting& setting) {
  RETURN_IF_ERROR(check(setting, organization_retention_types()));
  return put(kOrganization, organization, setting);
}

absl::Status RetentionPolicies::set_project(const std::string& project,
                                            const RetentionSetting& setting) {
  RETURN_IF_ERROR(check(setting, project_retention_types()));
  return put(kProject, project, setting);
}

}  // namespace plinth::governance
