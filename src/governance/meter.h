// From what a request used to its row in the ledger: rated, durable, and only then told to anybody.
#pragma once

#include <functional>
#include <string>

#include "governance/admission.h"
#include "store/ledger_writer.h"

namespace plinth::governance {

// What is known of a request at its end.
struct UsageEvent {
  std::string request_id;  // of this gateway's answer; the row's id
  Principal principal;
  Demand demand;
  std::string operation;      // "chat", "text_completion", "embeddings"
  std::string status = "ok";  // or "client_gone"
  std::int64_t choices = 1;
  TokenCount tokens = {};
  std::int64_t queue_us = 0;   // until the model began
  std::int64_t device_us = 0;  // while it worked; 0 where nobody measured
};

// Thread-safe.
class Meter {
 public:
  // The references outlive it.
  Meter(Admission& admission, store::LedgerWriter& ledger)
      : admission_(admission), ledger_(ledger) {}

  // Settles the ticket and runs `done` once the row is durable, or with the reason why there is
  // none: then the request is not charged, and its answer may not be given. `done` runs on the
  // ledger's thread and must not block.
  void settle(Admission::Ticket ticket, const UsageEvent& event,
              std::function<void(const absl::Status&)> done);

 private:
  Admission& admission_;
  store::LedgerWriter& ledger_;
};

// What the event costs by that price.
store::LedgerRow to_ledger_row(const UsageEvent& event, const Price& price, std::int64_t time_ms);
// The same of a row that is there, by other prices.
std::int64_t rate_again(const store::LedgerRow& row, const PriceBook& prices);

}  // namespace plinth::governance
