// Rows of organizations, their projects and the projects' service accounts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct OrganizationRow {
  std::string id, name;
  std::int64_t created_s = 0;
};

struct ProjectRow {
  std::string id, organization, name;
  std::int64_t created_s = 0;
  std::optional<std::int64_t> archived_s;
};

struct ServiceAccountRow {
  std::string id, project, name, role;
  std::int64_t created_s = 0;
};

// Thread-safe as its Database is. NotFound names what does not exist.
class TenantStore {
 public:
  explicit TenantStore(Database& database) : database_(database) {}

  // Does nothing where there is one of that id.
  absl::Status ensure_organization(const OrganizationRow& row);
  absl::StatusOr<OrganizationRow> organization(const std::string& id);

  absl::Status insert_project(const ProjectRow& row);
  absl::StatusOr<ProjectRow> project(const std::string& id);
  absl::StatusOr<Page<ProjectRow>> projects(const std::string& organization,
                                            const PageRequest& page, bool with_archived);
  absl::Status rename_project(const std::string& id, const std::string& name);
  // Archiving twice keeps the first time.
  absl::Status archive_project(const std::string& id, std::int64_t time_s);

  absl::Status insert_service_account(const ServiceAccountRow& row);
  absl::StatusOr<ServiceAccountRow> service_account(const std::string& id);
  absl::StatusOr<Page<ServiceAccountRow>> service_accounts(const std::string& project,
                                                           const PageRequest& page);
  absl::Status update_service_account(const ServiceAccountRow& row);  // its name and role
  absl::Status remove_service_account(const std::string& id);

 private:
  Database& database_;
};

}  // namespace plinth::store
