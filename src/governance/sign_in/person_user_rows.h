// Local users as the database keeps them: people of an organization who have a password, by their
// e-mail address.
#pragma once

#include <memory>
#include <string>

#include "governance/local_users.h"
#include "store/database.h"

namespace plinth::governance {

// insert() gives somebody who is there their first password, and makes nobody. The database
// outlives it.
std::unique_ptr<LocalUserRows> person_user_rows(store::Database& database,
                                                std::string organization);

}  // namespace plinth::governance
