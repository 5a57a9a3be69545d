// The account of one exchange: what it may use, what it reserves, and what it is charged in the
// end.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/exchange.h"
#include "governance/meter.h"

namespace plinth::api {

// Used by one thread at a time.
class RequestMeter {
 public:
  // Counts the request. Refused where the key may not call the model, or a limit is reached; the
  // exchange's answer says what is left either way. `name` is what the caller called. `done` runs
  // before this returns, or on another thread where the database has to be asked.
  static void begin(const ExchangePtr& exchange, const std::string& name,
                    const governance::Called& called,
                    std::function<void(absl::StatusOr<RequestMeter>)> done);

  // The most that the request (or one more part of it) can use, as governance::Admission::reserve()
  // takes it; refused, the meter is dropped. Nothing where the database has to be asked: then
  // `later` runs on another thread, unless the meter is dropped before.
  std::optional<absl::Status> reserve(const governance::TokenCount& most,
                                      std::function<void(const absl::Status&)> later);
  // The model has begun.
  void admitted();
  // Of the model's time, what it took for the request: before settle(), where known.
  void worked(std::int64_t device_us) { device_us_ = device_us; }
  const governance::Demand& demand() const { return demand_; }
  // `done` runs on another thread once the charge is durable: only then may the answer be told.
  // Otherwise it is an error, and nothing is charged.
  void settle(const governance::TokenCount& tokens, std::int64_t choices, const std::string& status,
              std::function<void(const absl::Status&)> done);
  // Lets go of what is reserved; nothing is charged.
  void drop() { ticket_ = {}; }

 private:
  RequestMeter(ExchangePtr exchange, governance::Demand demand)
      : exchange_(std::move(exchange)), demand_(std::move(demand)) {}
  void show() const { show(*exchange_, demand_); }
  static void show(Exchange& exchange, const governance::Demand& demand);

  ExchangePtr exchange_;
  governance::Demand demand_;
  governance::Admission::Ticket ticket_;
  base::TimePoint admitted_{};
  std::int64_t device_us_ = 0;
};

}  // namespace plinth::api
