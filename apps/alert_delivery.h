// How notices of spend alerts leave the service: as letters in a folder, which a mailer empties,
// and as a POST to a webhook.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/status.h"
#include "governance/spend_alerts.h"
#include "net/http_client.h"

namespace plinth {

// Not thread-safe: one thread delivers.
class AlertDelivery {
 public:
  struct Options {
    std::string folder;   // for letters; "" = none are written
    std::string webhook;  // an http(s) URL; "" = none
  };
  AlertDelivery(Options options, std::unique_ptr<net::HttpClient> client);

  // Both, each at least once: a letter is written once by this object, and where the webhook did
  // not answer 2xx the notice comes again with the same id.
  absl::Status operator()(const governance::SpendNotice& notice);

 private:
  absl::Status write_letter(const governance::SpendNotice& notice);
  absl::Status call_webhook(const governance::SpendNotice& notice);

  const Options options_;
  const std::unique_ptr<net::HttpClient> client_;
  std::set<std::string> written_;  // ids of letters whose webhook is still to be called
};

}  // namespace plinth
