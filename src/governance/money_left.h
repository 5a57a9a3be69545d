// Budgets and work that is charged when it is over: a job of training.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "governance/admission.h"
#include "store/limit_store.h"

namespace plinth::governance {

// A refusal (refusal.h, kind budget) that names the budget, of the organization or of the project,
// which has nothing left. What is reserved at this moment does not count.
absl::Status check_money_left(store::LimitStore& limits, const std::string& organization,
                              const std::string& project, std::int64_t time_s);

// Reserves the most that the work can cost in every budget that will pay for it, until the ticket
// is settled or dropped. Waits for the database, up to kBlockWait: Unavailable where it is away. A
// refusal where a budget has less left. No limit counts the work.
absl::StatusOr<Admission::Ticket> hold_money(Admission& admission, const Principal& payer,
                                             Demand demand, const TokenCount& most);

}  // namespace plinth::governance
