// What limits, budgets and prices may be.
#pragma once

#include "base/status.h"
#include "store/limit_store.h"

namespace plinth::governance {

// InvalidArgument that names what is wrong.
absl::Status check(const store::LimitRow& row);
absl::Status check(const store::BudgetRow& row);
absl::Status check(const store::PriceRow& row);

}  // namespace plinth::governance
