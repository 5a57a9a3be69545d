// The declared settings as flags of a command, and all their sources read in order.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/settings.h"

namespace CLI {
class Option;
}  // namespace CLI

namespace plinth {

class Command;

class SettingFlags {
 public:
  // One flag for each declared setting of `tables` ("engine"). A malformed value is a usage error.
  SettingFlags(Command& command, const std::vector<std::string_view>& tables);
  // What the command line gave.
  absl::Status apply(base::Settings& settings) const;

 private:
  std::vector<std::pair<const base::Setting*, CLI::Option*>> options_;
};

// Defaults < `home`/plinth.toml < PLINTH_* < `flags` (may be null).
absl::StatusOr<base::Settings> load_settings(const std::string& home, const SettingFlags* flags);

// plinth settings
void add_settings_command(Command& app, const std::string& home, int& exit_code);

}  // namespace plinth
