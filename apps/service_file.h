// run/service.json of a home: where `plinth chat` and its like find the running service.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace plinth {

struct ServiceAddress {
  std::string url;  // "http://127.0.0.1:8080"
  int pid = 0;
  std::vector<std::string> models;  // loaded at the start, the default first
};

// NotFound where no service announced itself. The file of a killed service stays behind: its
// reader tries the URL.
absl::StatusOr<ServiceAddress> read_service_file(const std::string& home);

// The announcement of this process, gone once it is destroyed.
class ServiceFile {
 public:
  static absl::StatusOr<ServiceFile> write(const std::string& home, const ServiceAddress& service);
  ServiceFile(ServiceFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~ServiceFile();

 private:
  explicit ServiceFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace plinth
