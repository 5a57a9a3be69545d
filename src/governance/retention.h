// How long the content of a project stays: OpenAI's data_retention types, and days and legal hold
// of our own. Metadata, usage and the audit log stay whatever this says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "store/document_store.h"

namespace plinth::governance {

// As an administrator set it.
struct RetentionSetting {
  // An organization has no "organization_default" and no "none". Plinth has no abuse monitoring
  // that would keep anything: "none" and the "modified" ones keep content until it is deleted or
  // past due, both "zero" ones keep none.
  std::string type = "organization_default";
  // Content older than this is deleted; nothing = as the organization says, else until it is
  // deleted.
  std::optional<std::int64_t> days = {};
  // Nothing is deleted or shredded, whoever asks.
  bool legal_hold = false;
  bool operator==(const RetentionSetting&) const = default;
};

// What holds for a project.
struct Retention {
  bool zero_data = false;  // no content is stored
  std::optional<std::int64_t> days = {};
  bool legal_hold = false;
};

std::span<const std::string_view> organization_retention_types();
std::span<const std::string_view> project_retention_types();

// Thread-safe.
class RetentionPolicies {
 public:
  // The references outlive it.
  static absl::StatusOr<std::unique_ptr<RetentionPolicies>> open(store::DocumentStore& store,
                                                                 const base::Clock& clock);

  RetentionSetting of_organization(const std::string& organization) const;
  RetentionSetting of_project(const std::string& project) const;
  // project "" = of the organization's own content.
  Retention effective(const std::string& organization, const std::string& project) const;

  // InvalidArgument names the field that is wrong.
  absl::Status set_organization(const std::string& organization, const RetentionSetting& setting);
  absl::Status set_project(const std::string& project, const RetentionSetting& setting);
  absl::Status refresh();

 private:
  RetentionPolicies(store::DocumentStore& store, const base::Clock& clock)
      : store_(store), clock_(clock) {}
  absl::Status put(const std::string& kind, const std::string& id, const RetentionSetting& setting);
  RetentionSetting find(const std::string& kind, const std::string& id) const;

  store::DocumentStore& store_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  // By kind ("organization", "project") and id; protected by mutex_.
  std::map<std::pair<std::string, std::string>, RetentionSetting> settings_;
};

}  // namespace plinth::governance
