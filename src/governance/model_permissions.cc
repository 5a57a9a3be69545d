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
    if (owned != owners_.end() && !owned->second.contains(project)) return false;
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

absl::Status ModelPermissions::refresh() {
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
  return absl::OkStatus();
}

}  // namespace plinth::governance
