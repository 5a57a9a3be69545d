// What the roles and groups give that an identity provider says somebody has.
#pragma once

#include <string>
#include <vector>

#include "governance/identity.h"
#include "governance/people.h"
#include "store/tenant_store.h"

namespace plinth::governance {

// The grants of these names: roles as parse_mapped_role() reads them, groups by their id. Names
// that mean nothing here give nothing, and are named in the log.
absl::StatusOr<Grants> mapped_rights(People& people, const std::string& organization,
                                     const std::vector<std::string>& roles,
                                     const std::vector<std::string>& groups);

// Takes away what is of projects that are archived or of another organization.
absl::Status keep_open_projects(store::TenantStore& tenants, const std::string& organization,
                                Grants& grants);

}  // namespace plinth::governance
