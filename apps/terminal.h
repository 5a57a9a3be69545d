// What every subcommand shows a person: colours, progress bars, errors. Honours NO_COLOR, and is
// plain lines where the stream is no terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace plinth {

bool is_terminal(int fd);
enum class Stream { out, err };
// Wraps in an ANSI style ("1" bold, "32" green, "31" red, "2" faint) where the stream shows
// colours.
std::string styled(std::string_view text, std::string_view style, Stream stream = Stream::err);
// "93.8 MiB"
std::string human_bytes(std::uint64_t bytes);

// One line on stderr that redraws itself at most ten times a second; on a plain stream one line for
// each tenth of the way, at most one a second, and one at the end.
class ProgressBar {
 public:
  explicit ProgressBar(const base::Clock& clock) : clock_(clock) {}
  void update(const std::string& label, std::uint64_t done, std::uint64_t total);
  void finish();

 private:
  const base::Clock& clock_;
  std::string label_;
  base::TimePoint started_{};
  base::TimePoint drawn_{};
  std::uint64_t first_ = 0;
  int tenth_ = -1;
  bool open_ = false;
};

// Prints "plinth: message" and returns the exit code: 1.
int report(const absl::Status& status);
// The same with a line on what to do, for a command line that cannot be meant: 2.
int report_usage(std::string_view what, std::string_view hint);

}  // namespace plinth
