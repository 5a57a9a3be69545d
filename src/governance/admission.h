// Who may use how much: every request passes here before it costs anything.
//
//   auto began = admission.begin(principal, demand, later);      // requests, a balance
//   auto status = admission.reserve(ticket, {prompt, pinned, n * output_max}, later);  // the most
//   ...
//   admission.settle(std::move(ticket), actual, amount_pico);    // what it did cost
//
// A ticket that is dropped gives back what it reserved. Limits hold at any time, for any number of
// callers and over all gateways that share a database: what is reserved counts as used, and a
// gateway reserves only in blocks that it holds in the database (docs/decisions/0010).
#pragma once

#include <cstdint>
#include <functional>
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
#include "store/lease_store.h"
#include "store/limit_store.h"

namespace plinth::governance {

enum class Resource : std::uint8_t {
  requests_per_minute,
  tokens_per_minute,
  requests_per_day,
  parallel_requests,
  queued_tokens,      // of requests that are admitted and not over
  provisioned_tokens  // input-equivalent ones a minute, sold ahead of their use
};
std::string_view resource_name(Resource resource);
std::optional<Resource> resource_named(std::string_view name);

// What is asked for.
struct Demand {
  std::string model;
  std::string deployment = {};  // "" = the model itself
  std::string service_class = "standard";
  // Of provisioned throughput: input tokens that one of output is worth; 0 of all else.
  std::int64_t output_weight = 0;
  // Work that is no request: budgets pay for it, limits do not count it.
  bool budgets_only = false;
};

// What is left of the tightest limit a minute, for headers; nothing where there is no limit. Where
// several gateways share the limits, `remaining` is this gateway's block: what is left over all of
// them is never less.
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
  struct Options {
    std::string gateway;     // names this process's lease: never used before
    bool is_shared = false;  // others may use the database: what lies idle here is theirs
  };
  // Takes a lease, and reads limits, budgets and prices. The references outlive it.
  static absl::StatusOr<std::unique_ptr<Admission>> create(store::LimitStore& limits,
                                                           store::LeaseStore& leases,
                                                           const base::Clock& clock,
                                                           Options options);
  ~Admission();

  struct Hold;
  class Ticket {
   public:
    Ticket();
    Ticket(Admission& admission, std::shared_ptr<Hold> hold);
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();
    // Constant from begin() on.
    const Price& price() const;
    // What it reserved is in blocks under this lease: for the row of the ledger.
    store::Lease lease() const;

   private:
    friend class Admission;
    Admission* admission_ = nullptr;
    std::shared_ptr<Hold> hold_;  // shared with what waits for it
  };

  // What fits in this gateway's blocks, or cannot fit at all, is answered at once. Otherwise the
  // answer is nothing, and `later` runs on another thread once the database has said how much there
  // is: within kBlockWait, or with Unavailable where it is away. Where it is known to be away that
  // comes at once. `later` must not block; of a ticket that is dropped meanwhile it need not run.
  using Began = std::function<void(absl::StatusOr<Ticket>)>;
  using Reserved = std::function<void(const absl::Status&)>;

  // A refusal (refusal.h) where a limit or a budget does not allow one more.
  std::optional<absl::StatusOr<Ticket>> begin(const Principal& principal, const Demand& demand,
                                              Began later);
  // Reserves the most that the request can cost; several times where it has several parts. Refused,
  // it reserves nothing. most.cached: those of the input that are sure to be cached, which no limit
  // counts; below 0, so many of those that a call before said were not.
  std::optional<absl::Status> reserve(Ticket& ticket, const TokenCount& most, Reserved later);
  // amount_pico: what the row of the ledger says, which is committed.
  void settle(Ticket ticket, const TokenCount& actual, std::int64_t amount_pico);
  // Nobody knows whether the row is committed.
  void abandon(Ticket ticket);
  RateView view(const Principal& principal, const Demand& demand);
  // How much of its provisioned throughput a deployment (its scope) uses over all gateways, in
  // whole percent, as they told the database, a second ago; over 100 after a burst. NotFound where
  // it has none.
  absl::StatusOr<std::int64_t> utilisation(const std::string& deployment);

  // The database's clock: for times of the ledger's rows and periods of budgets.
  const base::Clock& clock() const;

  // A thread of its own calls exchange() whenever there is something to ask, until close().
  void start();
  // Asks the database for what requests wait for and what will be needed soon, gives back what lies
  // idle, and keeps the lease. Nothing where there is nothing to do.
  absl::Status exchange();
  // Tells whoever waits now Unavailable.
  void refuse_waiting();
  // Gives back every block. Whoever waits, or comes later, is told Unavailable.
  void close();

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
