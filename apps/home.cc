#include "apps/home.h"

#include <cstdlib>

namespace plinth {

absl::StatusOr<std::string> find_home(const std::string& flag) {
  if (!flag.empty()) return flag;
  const auto set = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const auto home = set("PLINTH_HOME"); !home.empty()) return home;
  if (const auto data = set("XDG_DATA_HOME"); !data.empty()) return data + "/plinth";
  if (const auto user = set("HOME"); !user.empty()) return user + "/.local/share/plinth";
  return base::failed_precondition("no home: give --home DIR or set PLINTH_HOME");
}

}  // namespace plinth
