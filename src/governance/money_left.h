// Whether budgets have room for what is charged when it is over and reserves nothing before: a job
// of training.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "store/limit_store.h"

namespace plinth::governance {

// A refusal (refusal.h, kind budget) that names the budget, of the organization or of the project,
// which has less than `amount_pico` left; one that has nothing left refuses 0 too. What requests
// have reserved at this moment does not count.
absl::Status check_money_left(store::LimitStore& limits, const std::string& organization,
                              const std::string& project, std::int64_t amount_pico,
                              std::int64_t time_s);

}  // namespace plinth::governance
