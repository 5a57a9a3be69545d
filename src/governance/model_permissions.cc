#include "governance/model_permissions.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "governance/deployment_limits.h"
#include "governance/tuning_limits.h"

namespace plinth::governance {

namespace {

constexpr char kPermissions[] = "model_permissions";
constexpr char kOwned[] = "tuned_model";  // named like the model, in the scope of a project
constexpr char kShared[] = "checkpoint_permission";  // likewise, of a project that may call it
constexpr char kAllow[] = "allow_list";
constexpr char kDeny[] = "deny_list";

std::string to_body(const ModelPermission& permission) {
  base::json::array models;
  for (const auto& model : permission.models) models.emplace_back(model);
  return base::to_json(base::json::object{{"mode", permission.allow_list ? kAllow : kDeny},
                                          {"models", std::move(models)}});
}

absl::StatusOr<ModelPermission> from_body(const std::string& body) {
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(body));
  const auto* object = parsed.if_object();
  const auto* mode = object == nullptr ? nullptr : object->if_contains("mode");
  const auto* models = object == nullptr ? nullptr : object->if_contains("models");
  if (mode == nullptr || models == nullptr || !models->is_array())
    return base::data_loss("[model permissions] no mode or models");
  ModelPermission permission;
  permission.allow_list = *mode == kAllow;
  if (!permission.allow_list && *mode != kDeny)
    return base::data_loss("[model permissions] an unknown mode");
  for (const auto& model : models->get_array()) {
    if (!model.is_string()) return base::data_loss("[model permissions] a model that is no text");
    permission.models.emplace_back(model.get_string());
  }
  return permission;
}

absl::Status check(const ModelPermission& permission) {
  if (permission.models.size() > kPermittedModelsMax) {
    return base::invalid_argument(
        fmt::format("A project's list has at most {} models.", kPermittedModelsMax));
  }
  for (const auto& model : permission.models) {
    if (model.empty() || model.size() > kModelNameBytesMax)
      return base::invalid_argument(
          fmt::format("A model's name has 1 to {} bytes.", kModelNameBytesMax));
  }
  return absl::OkStatus();
}

bool grants_to(const std::vector<ModelGrant>& grants, std::string_view project) {
  return std::any_of(grants.begin(), grants.end(),
                     [&](const auto& grant) { return grant.project == project; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelPermissions>> ModelPermissions::open(
    store::DocumentStore& store, const base::Clock& clock) {
  std::unique_ptr<ModelPermissions> made(new ModelPermissions(store, clock));
  RETURN_IF_ERROR(made->refresh());
  return made;
}

ModelPermission ModelPermissions::of(std::string_view project) const {
  std::lock_guard lock(mutex_);
  const auto found = rows_.find(project);
  return found == rows_.end() ? ModelPermission() : found->second;
}

bool ModelPermissions::may_call(std::string_view project,
                                std::initializer_list<std::string_view> names) const {
  std::lock_guard lock(mutex_);
  for (const auto name : names) {
    const auto owned = owners_.find(name);
    if (owned == owners_.end() || owned->second.contains(project)) continue;
    const auto shared = grants_.find(name);
    if (shared == grants_.end() || !grants_to(shared->second, project)) return false;
  }
  const auto found = rows_.find(project);
  if (found == rows_.end()) return true;
  const auto& [allow_list, models] = found->second;
  const bool named = std::any_of(models.begin(), models.end(), [&](const auto& listed) {
    return std::find(names.begin(), names.end(), listed) != names.end();
  });
  return named == allow_list;
}

absl::Status ModelPermissions::set(const std::string& project, ModelPermission permission) {
  RETURN_IF_ERROR(check(permission));
  std::sort(permission.models.begin(), permission.models.end());
  permission.models.erase(std::unique(permission.models.begin(), permission.models.end()),
                          permission.models.end());
  const auto now_s = clock_.unix_seconds();
  RETURN_IF_ERROR(
      store_.put({kPermissions, project, "", to_body(permission), now_s, now_s}, 1).status());
  std::lock_guard lock(mutex_);
  rows_[project] = std::move(permission);
  return absl::OkStatus();
}

absl::Status ModelPermissions::remove(const std::string& project) {
  const auto status = store_.remove(kPermissions, project, "");
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  std::lock_guard lock(mutex_);
  rows_.erase(project);
  return absl::OkStatus();
}

absl::Status ModelPermissions::give(const std::string& model, const std::string& project) {
  const auto now_s = clock_.unix_seconds();
  RETURN_IF_ERROR(
      store_.put({kOwned, project, model, "{}", now_s, now_s}, kTunedModelsMax).status());
  std::lock_guard lock(mutex_);
  owners_[model].insert(project);
  return absl::OkStatus();
}

absl::Status ModelPermissions::take(const std::string& model, const std::string& project) {
  const auto owning = owners(model);
  if (owning == std::vector<std::string>{project})
    for (const auto& grant : grants(model)) RETURN_IF_ERROR(unshare(model, grant.project));
  const auto status = store_.remove(kOwned, project, model);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  std::lock_guard lock(mutex_);
  const auto owned = owners_.find(model);
  if (owned == owners_.end()) return absl::OkStatus();
  owned->second.erase(project);
  if (owned->second.empty()) owners_.erase(owned);
  return absl::OkStatus();
}

bool ModelPermissions::has_owner(std::string_view model) const {
  std::lock_guard lock(mutex_);
  return owners_.find(model) != owners_.end();
}

bool ModelPermissions::owns(std::string_view project, std::string_view model) const {
  std::lock_guard lock(mutex_);
  const auto owned = owners_.find(model);
  return owned != owners_.end() && owned->second.contains(project);
}

std::vector<std::string> ModelPermissions::owners(std::string_view model) const {
  std::lock_guard lock(mutex_);
  const auto owned = owners_.find(model);
  if (owned == owners_.end()) return {};
  return {owned->second.begin(), owned->second.end()};
}

absl::Status ModelPermissions::share(const std::string& model, const std::string& project,
                                     const std::string& id) {
  if (grants_to(grants(model), project)) return absl::OkStatus();
  const auto now_s = clock_.unix_seconds();
  const auto body = base::to_json(base::json::object{{"id", id}});
  RETURN_IF_ERROR(
      store_.put({kShared, project, model, body, now_s, now_s}, kSharedModelsMax).status());
  std::lock_guard lock(mutex_);
  if (!grants_to(grants_[model], project)) grants_[model].push_back({id, project, now_s});
  return absl::OkStatus();
}

absl::Status ModelPermissions::unshare(const std::string& model, const std::string& project) {
  const auto status = store_.remove(kShared, project, model);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  std::lock_guard lock(mutex_);
  const auto shared = grants_.find(model);
  if (shared == grants_.end()) return absl::OkStatus();
  std::erase_if(shared->second, [&](const auto& grant) { return grant.project == project; });
  if (shared->second.empty()) grants_.erase(shared);
  return absl::OkStatus();
}

std::vector<ModelGrant> ModelPermissions::grants(std::string_view model) const {
  std::lock_guard lock(mutex_);
  const auto shared = grants_.find(model);
  return shared == grants_.end() ? std::vector<ModelGrant>() : shared->second;
}

absl::StatusOr<ModelPermissions::Grants> ModelPermissions::stored_grants() {
  Grants grants;
  ASSIGN_OR_RETURN(const auto stored, store_.all(kShared));
  for (const auto& row : stored) {
    const auto body = base::parse_json(row.body);
    const auto* id =
        body.ok() && body->is_object() ? body->get_object().if_contains("id") : nullptr;
    if (id == nullptr || !id->is_string()) {
      LOG(warn, "a permission of {} for {} cannot be read", row.scope, row.name);
      continue;
    }
    grants[row.name].push_back({std::string(id->get_string()), row.scope, row.created_s});
  }
  for (auto& [model, all] : grants)
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.created_s < b.created_s; });
  return grants;
}

absl::Status ModelPermissions::refresh() {
  ASSIGN_OR_RETURN(auto grants, stored_grants());
  Owners owners;
  ASSIGN_OR_RETURN(const auto owned, store_.all(kOwned));
  for (const auto& row : owned) owners[row.name].insert(row.scope);
  ASSIGN_OR_RETURN(const auto stored, store_.all(kPermissions));
  std::map<std::string, ModelPermission, std::less<>> rows;
  for (const auto& row : stored) {
    auto read = from_body(row.body);
    if (!read.ok()) {
      // Nothing may be called by it: a rule that cannot be read is not one that allows.
      LOG(warn, "model permissions of {}: {}", row.scope, read.status().ToString());
      read = ModelPermission{.allow_list = true};
    }
    rows[row.scope] = *std::move(read);
  }
  std::lock_guard lock(mutex_);
  rows_ = std::move(rows);
  owners_ = std::move(owners);
  grants_ = std::move(grants);
  return absl::OkStatus();
}

}  // namespace plinth::governance
