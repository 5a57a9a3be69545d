// What `plinth doctor` looks at. Nothing here changes the home.
#pragma once

#include <string>
#include <vector>

namespace plinth {

enum class Verdict { ok, warn, fail };

struct Finding {
  std::string area;  // "machine", "install", "home", "models", "network", "service"
  std::string name;  // "memory"
  Verdict verdict = Verdict::ok;
  std::string detail;  // "23.4 GiB granted"
  std::string mend;    // what to do, for warn and fail
};

std::vector<Finding> check_machine(const std::string& home);
std::vector<Finding> check_install();
std::vector<Finding> check_home(const std::string& home);
std::vector<Finding> check_models(const std::string& home);
// Takes some seconds where a source does not answer.
std::vector<Finding> check_network();
std::vector<Finding> check_service(const std::string& home);

}  // namespace plinth
