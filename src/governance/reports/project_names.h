// Names of an organization's projects, for reports: archived ones too.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "store/database.h"

namespace plinth::governance {

// By id.
absl::StatusOr<std::map<std::string, std::string>> project_names(store::Database& database,
                                                                 const std::string& organization);

}  // namespace plinth::governance
