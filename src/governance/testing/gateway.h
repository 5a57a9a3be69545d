// One gateway of several for tests: its own connections to a database and its own blocks of limits,
// with a time that tests move.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/check.h"
#include "governance/admission.h"
#include "governance/meter.h"
#include "store/ledger_writer.h"
#include "store/scratch_database.h"

namespace plinth::governance {

// What the database's clock says, and how often it was asked: once in each exchange.
struct DatabaseHand {
  std::atomic<std::int64_t> offset_ms{0};
  std::atomic<int> asked{0};
  std::atomic<bool> is_away{false};
};

class Gateway {
 public:
  // `clock` is the gateway's own and, with the hand's offset, the database's.
  Gateway(const std::string& where, const base::Clock& clock, std::string name_,
          bool is_shared = true)
      : name(std::move(name_)),
        database(*store::Database::open(where)),
        limits(*database),
        leases(*database,
               [this, &clock](store::Sql&) {
                 ++hand.asked;
                 if (hand.is_away) throw std::runtime_error("away");
                 return clock.unix_millis() + hand.offset_ms;
               }),
        usage(*database),
        admission(open(clock, is_shared)),
        ledger(std::make_unique<store::LedgerWriter>(usage, clock)),
        meter(*admission, *ledger) {}
  // As kill -9: nothing goes back.
  ~Gateway() {
    if (is_killed) hand.is_away = true;
  }

  absl::StatusOr<Admission::Ticket> begin(const Principal& principal, const Demand& demand) {
    using Outcome = absl::StatusOr<Admission::Ticket>;
    const auto later = std::make_shared<std::promise<Outcome>>();
    auto outcome = admission->begin(
        principal, demand, [later](Outcome ticket) { later->set_value(std::move(ticket)); });
    return outcome ? *std::move(outcome) : wait(later->get_future());
  }
  absl::Status reserve(Admission::Ticket& ticket, std::int64_t prompt, std::int64_t output,
                       std::int64_t cached = 0) {
    const auto later = std::make_shared<std::promise<absl::Status>>();
    auto outcome = admission->reserve(ticket, {prompt, cached, output},
                                      [later](const auto& status) { later->set_value(status); });
    return outcome ? *std::move(outcome) : wait(later->get_future());
  }
  // The row, too.
  absl::Status settle(Admission::Ticket ticket, const Principal& principal, const Demand& demand,
                      const TokenCount& tokens) {
    std::promise<absl::Status> done;
    UsageEvent event{name + std::to_string(++settled), principal, demand, "chat"};
    event.tokens = tokens;
    meter.settle(std::move(ticket), event, [&](const auto& status) { done.set_value(status); });
    return done.get_future().get();
  }

  const std::string name;
  DatabaseHand hand;
  std::unique_ptr<store::Database> database;
  store::LimitStore limits;
  store::LeaseStore leases;
  store::UsageStore usage;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<store::LedgerWriter> ledger;
  Meter meter;
  std::atomic<int> settled{0};
  bool is_killed = true;

 private:
  std::unique_ptr<Admission> open(const base::Clock& clock, bool is_shared) {
    if (!is_shared) CHECK(leases.take_over(name).ok());
    return *Admission::create(limits, leases, clock, {name, is_shared});
  }
  template <typename T>
  T wait(std::future<T> answer) {
    for (int i = 0; answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready; ++i) {
      if (i == 100) return base::internal("no answer after a hundred exchanges");
      (void)admission->exchange();
    }
    return answer.get();
  }
};

}  // namespace plinth::governance
