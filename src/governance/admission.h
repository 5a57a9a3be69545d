// Who may use how much: every request passes here before it costs anything.
//
//   ASSIGN_OR_RETURN(auto ticket, admission.begin(principal, demand));    // requests, a balance
//   RETURN_IF_ERROR(admission.reserve(ticket, prompt, n * output_max));   // the most it can cost
//   ...
//   admission.settle(std::move(ticket), actual, amount_pico);             // what it did cost
//
// A ticket that is dropped gives back what it reserved. Limits hold at any time and for any number
// of callers: what is reserved counts as used.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "governance/api_keys.h"
#include "governance/price_book.h"
#include "governance/refusal.h"
#include "store/limit_store.h"

namespace plinth::governance {

enum class Resource : std::uint8_t {
  requests_per_minute,
  tokens_per_minute,
  requests_per_day,
  parallel_requests,
  queued_tokens  // of requests that are admitted and not over
};
std::string_view resource_name(Resource resource);
std::optional<Resource> resource_named(std::string_view name);

// What is asked for.
struct Demand {
  std::string model;
  std::string deployment = {};  // "" = the model itself
  std::string service_class = "standard";
};

// What is left of the tightest limit a minute, for headers; nothing where there is no limit.
struct RateView {
  struct Rate {
    std::int64_t limit = 0, remaining = 0;
    base::Duration reset{};  // until all of it is there again
  };
  std::optional<Rate> requests, tokens;
};

// Thread-safe.
class Admission {
 public:
  // Reads limits, budgets and prices. The references outlive it.
  static absl::StatusOr<std::unique_ptr<Admission>> create(store::LimitStore& store,
                                                           const base::Clock& clock);
  ~Admission();

  struct Hold;
  class Ticket {
   public:
    Ticket();
    Ticket(Admission& admission, std::unique_ptr<Hold> hold);
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();
    // Constant from begin() on.
    const Price& price() const;

   private:
    friend class Admission;
    Admission* admission_ = nullptr;
    std::unique_ptr<Hold> hold_;
  };

  // A refusal (refusal.h) where a limit or a budget does not allow one more.
  absl::StatusOr<Ticket> begin(const Principal& principal, const Demand& demand);
  // Reserves the most that the request can cost; several times where it has several parts. Refused,
  // it reserves nothing.
  absl::Status reserve(Ticket& ticket, std::int64_t prompt_tokens, std::int64_t output_tokens);
  // amount_pico: what the row of the ledger says, which is committed.
  void settle(Ticket ticket, const TokenCount& actual, std::int64_t amount_pico);
  RateView view(const Principal& principal, const Demand& demand);

  // Reads limits, budgets and prices again, where somebody else may have changed them.
  absl::Status refresh();

  // Administration: durable when these return.
  absl::Status set_limit(const store::LimitRow& row);
  absl::Status remove_limit(const store::LimitRow& row);
  absl::Status set_budget(const store::BudgetRow& row);
  absl::Status remove_budget(const store::BudgetRow& row);
  absl::StatusOr<std::int64_t> insert_price(const store::PriceRow& row);

 private:
  struct Impl;
  explicit Admission(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
