#include "apps/launcher_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace plinth {

namespace {

constexpr std::string_view kForwards = "mpirun: Forwarding signal";
constexpr std::size_t kLineBytesMax = 1u << 14, kWordsBytesMax = 1u << 14;

bool is_border(std::string_view line) {
  return line.size() > 20 && line.find_first_not_of('-') == std::string_view::npos;
}

std::optional<int> number_after(std::string_view line, std::string_view word) {
  const auto at = line.find(word);
  if (at == std::string_view::npos) return std::nullopt;
  const auto* begin = line.data() + at + word.size();
  int number = 0;
  const auto end = std::from_chars(begin, line.data() + line.size(), number);
  return end.ec == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::string LauncherOutput::take(std::string_view bytes) {
  std::string shown;
  for (const char byte : bytes) {
    line_ += byte;
    if (byte != '\n' && line_.size() < kLineBytesMax) continue;
    shown += take_line(line_);
    line_.clear();
  }
  return shown;
}

std::string LauncherOutput::take_line(std::string_view line) {
  auto text = line;
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (is_border(text)) {
    inside_ = !inside_;
    return "";
  }
  // "process rank 1 with PID 0 on node name exited on signal 9 (Killed)."
  const auto rank = number_after(text, "process rank ");
  const auto signal = number_after(text, "exited on signal ");
  if (rank && signal)
    death_ = fmt::format("rank {} was ended by signal {} ({})", *rank, *signal, strsignal(*signal));
  if (inside_ && words_.size() < kWordsBytesMax) words_ += line;
  if (inside_ || text.starts_with(kForwards)) return "";
  told_ = told_ || text.find("plinth:") != std::string_view::npos;
  return std::string(line);
}

absl::Status LauncherOutput::error(int signal) const {
  const auto aborted = [](std::string_view text) {
    return absl::AbortedError(base::to_absl(text));
  };
  constexpr std::string_view kGoOn =
      "the others were stopped; the same command with --resume goes on from the last checkpoint";
  if (signal != 0)
    return aborted(
        fmt::format("mpirun was ended by signal {} ({}): {}", signal, strsignal(signal), kGoOn));
  if (!death_.empty()) return aborted(fmt::format("{}: {}", death_, kGoOn));
  return told_ ? aborted("") : aborted("mpirun failed: " + (words_.empty() ? line_ : words_));
}

}  // namespace plinth
