// Whether budgets say what the ledger's sums do, and how they are mended.
#pragma once

#include <string>
#include <vector>

#include "store/sql.h"

namespace plinth::store {

// Budgets whose spent_pico is not what the hours of their period add up to: "budget of a month of
// project x: off by 5 pico-units".
std::vector<std::string> wrong_budgets(Sql& sql);
// Makes them so again, where nobody appends meanwhile.
void recount_budgets(Sql& sql);

}  // namespace plinth::store
