// Who may do what, as a page: every role, every permission and every route, from the tables.
#pragma once

#include <string>

namespace plinth::api {

// docs/roles.md.
std::string role_matrix_markdown();

}  // namespace plinth::api
