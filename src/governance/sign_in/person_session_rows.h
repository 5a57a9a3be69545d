// Sessions as the database keeps them: each is a person's.
#pragma once

#include <memory>
#include <string_view>

#include "governance/sessions.h"
#include "store/database.h"

namespace plinth::governance {

// The issuer of identities whose subject is the id of a person: what sessions are of.
inline constexpr std::string_view kPersonIssuer = "person";

// Of identities of kPersonIssuer alone; of these it keeps subject, roles and groups. They end with
// their person. The database outlives it.
std::unique_ptr<SessionRows> person_session_rows(store::Database& database);

}  // namespace plinth::governance
