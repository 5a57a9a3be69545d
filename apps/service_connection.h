// The service that `plinth chat`, `run` and `bench serve` speak to: the one named by --url, the one
// running in the home, or one started for as long as the command runs.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace plinth {

class Command;

struct ServiceFlags {
  std::string url;    // --url, PLINTH_URL
  std::string key;    // --key, PLINTH_KEY
  std::string model;  // -m
};
void add_service_flags(Command& command, ServiceFlags& flags);

// A child `plinth up` in a process group of its own; ended with this object, or with this process.
class StartedService {
 public:
  explicit StartedService(int pid) : pid_(pid) {}
  StartedService(const StartedService&) = delete;
  StartedService& operator=(const StartedService&) = delete;
  ~StartedService();

 private:
  const int pid_;
};

struct ServiceConnection {
  std::string url;  // without /v1
  std::string key;
  std::string model;
  std::string home;                         // "" where --url named it
  std::unique_ptr<StartedService> started;  // null where it was running
};

// Pulls the model where the home lacks it. Unavailable where nothing answers or can be started.
absl::StatusOr<ServiceConnection> connect_service(const std::string& home_flag,
                                                  const ServiceFlags& flags);

// Speaks to another model from now on, pulled where the home lacks it.
absl::Status switch_model(ServiceConnection& service, const std::string& model);

// A loopback URL, which no proxy is asked for.
bool is_this_machine(const std::string& url);

}  // namespace plinth
