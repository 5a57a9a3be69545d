// What mpirun and its ranks say on stderr: the ranks' lines are shown, and mpirun's own words,
// which it puts between lines of dashes, become one error.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth {

class LauncherOutput {
 public:
  // Returns what is to be shown of these bytes and of earlier ones.
  std::string take(std::string_view bytes);
  // Of a run that failed; signal: what ended mpirun itself, 0 = it ended by itself. Aborted, with
  // no message where a rank has said what is wrong.
  absl::Status error(int signal) const;

 private:
  std::string take_line(std::string_view line);

  std::string line_;  // that has not ended
  bool inside_ = false;
  bool told_ = false;  // by a rank
  std::string words_;  // mpirun's own
  std::string death_;  // of a rank
};

}  // namespace plinth
