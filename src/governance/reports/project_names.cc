#include "governance/reports/project_names.h"

#include "store/tenant_store.h"

namespace plinth::governance {

namespace {

// Of one read: a hundred thousand projects take some dozen.
constexpr std::int64_t kPageRows = 5'000;

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> project_names(store::Database& database,
                                                                 const std::string& organization) {
  store::TenantStore tenants(database);
  std::map<std::string, std::string> names;
  store::PageRequest request{"", kPageRows};
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const auto page, tenants.projects(organization, request, true));
    for (const auto& row : page.rows) names[row.id] = row.name;
    more = page.has_more;
    if (more) request.after = page.rows.back().id;
  }
  return names;
}

}  // namespace plinth::governance
