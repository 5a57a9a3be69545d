// What Admission is made of: requests that reserve in blocks, and those that wait for one.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "governance/admission.h"
#include "governance/database_clock.h"
#include "governance/quota/quota_book.h"

namespace plinth::governance {

// What one request takes of the limits that are its own.
struct Admission::Hold {
  HoldId id = 0;
  store::Lease lease;
  std::string model;
  std::vector<QuotaPtr> limits, budgets;
  std::vector<std::string> payers;  // places of the budgets that pay, those too that come later
  Price price;
  std::int64_t output_weight = 0;                      // as its Demand has it
  std::int64_t tokens = 0, pico = 0, provisioned = 0;  // reserved
};

struct Admission::Impl {
  using HoldPtr = std::shared_ptr<Hold>;
  // One step of a request, or what all of it used.
  struct Wish {
    bool begins = false;
    std::int64_t tokens = 0, pico = 0;
    std::int64_t provisioned = 0;  // input-equivalent tokens
  };
  // What it asks of one limit or budget: so much, or for anything to be left at all.
  struct Part {
    Quota* quota;
    std::int64_t amount;
    bool is_any = false;
    Fit fit(base::TimePoint now) const {
      return is_any ? quota->fit_any(now) : quota->fit(amount, now);
    }
  };
  struct Waiter {
    HoldPtr hold;
    Wish wish;
    base::TimePoint until;
    Reserved done;
  };
  // What one exchange asks of one quota, and the answer.
  struct Asked {
    QuotaPtr quota;
    Offer offer;
    std::optional<Deal> deal;
  };

  Impl(store::LimitStore& limits_, store::LeaseStore& leases_, const base::Clock& machine_,
       Options options_)
      : limits(limits_),
        leases(leases_),
        machine(machine_),
        options(std::move(options_)),
        clock(machine_),
        lease{options.gateway} {}

  static std::vector<Part> parts_of(const Hold& hold, const Wish& wish);

  // The following are called with mutex held.
  HoldPtr hold_for(const Principal& principal, const Demand& demand);
  // Takes what is wished where it all fits; `why` says what it is refused for.
  Fit attempt(Hold& hold, const Wish& wish, absl::Status& why);
  // Marks what a request that waits has to be asked for.
  void want(Hold& hold, const Wish& wish);
  // The outcome, or nothing where the request has to wait.
  std::optional<absl::Status> attempt_or_wait(const HoldPtr& hold, const Wish& wish,
                                              const std::function<Reserved()>& done);
  void end(const Hold& hold, const Wish& used);
  // Returns what waited for it: to be destroyed without the mutex, since its callbacks own others.
  std::vector<Waiter> drop(Hold& hold);
  void wake();

  // The steps of an exchange.
  std::vector<Asked> collect(bool& is_due);
  // True where the lease is a new one: everything has to be asked again.
  bool apply(const absl::StatusOr<store::LeaseStore::Answer>& answer, std::vector<Asked>& asked,
             base::TimePoint begun);
  void answer_waiters();
  void refuse_waiting();
  absl::Status exchange();
  void run();

  store::LimitStore& limits;
  store::LeaseStore& leases;
  const base::Clock& machine;
  const Options options;
  DatabaseClock clock;  // thread-safe

  std::mutex exchanging;  // one exchange at a time; taken before mutex
  std::mutex mutex;
  QuotaBook book;  // protected by mutex, as are the following
  PriceBook prices;
  HoldId last_hold = 0;
  std::deque<Waiter> waiters;
  store::Lease lease;
  base::TimePoint lease_from{}, lease_until{};
  base::TimePoint ticked{};
  bool is_away = false;  // the database, when it was last asked
  bool has_work = false, stopping = false, closed = false;
  std::condition_variable changed;
  std::thread thread;  // set by start() and close()
};

}  // namespace plinth::governance
