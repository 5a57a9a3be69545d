#include "governance/money_left.h"

#include <fmt/format.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "governance/money.h"
#include "governance/refusal.h"

namespace plinth::governance {

namespace {

// An answer that may come later, from another thread.
template <typename T>
class Answer {
 public:
  void give(T value) {
    std::lock_guard lock(mutex_);
    value_.emplace(std::move(value));
    given_.notify_one();
  }
  T wait() {
    std::unique_lock lock(mutex_);
    given_.wait(lock, [&] { return value_.has_value(); });
    return *std::move(value_);
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
  std::condition_variable given_;
};

}  // namespace

absl::Status check_money_left(store::LimitStore& limits, const std::string& organization,
                              const std::string& project, std::int64_t time_s) {
  const std::pair<const char*, const std::string&> scopes[] = {{"organization", organization},
                                                               {"project", project}};
  for (const auto& [kind, scope] : scopes) {
    ASSIGN_OR_RETURN(const auto budgets, limits.budgets(kind, scope, time_s));
    for (const auto& budget : budgets) {
      if (budget.spent_pico < budget.limit_pico) continue;
      return refuse(fmt::format("You exceeded the current quota: the budget of {} {} a {} is {}, "
                                "of which {} is spent.",
                                kind, scope, budget.period, format_money(budget.limit_pico),
                                format_money(budget.spent_pico)),
                    {RefusalKind::budget, std::nullopt});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Admission::Ticket> hold_money(Admission& admission, const Principal& payer,
                                             Demand demand, const TokenCount& most) {
  demand.budgets_only = true;
  const auto begun = std::make_shared<Answer<absl::StatusOr<Admission::Ticket>>>();
  auto began =
      admission.begin(payer, demand, [begun](auto later) { begun->give(std::move(later)); });
  ASSIGN_OR_RETURN(auto ticket, began ? *std::move(began) : begun->wait());
  const auto reserved = std::make_shared<Answer<absl::Status>>();
  const auto status = admission.reserve(
      ticket, most, [reserved](const absl::Status& later) { reserved->give(later); });
  RETURN_IF_ERROR(status ? *status : reserved->wait());
  return ticket;
}

}  // namespace plinth::governance
