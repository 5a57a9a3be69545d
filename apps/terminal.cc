#include "apps/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace plinth {

bool is_terminal(int fd) { return ::isatty(fd) != 0; }

std::string styled(std::string_view text, std::string_view style, Stream stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const int fd = stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO;
  if ((no_color != nullptr && *no_color != 0) || !is_terminal(fd)) {
    return std::string(text);
  }
  return fmt::format("\033[{}m{}\033[0m", style, text);
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

namespace {

std::size_t columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

void ProgressBar::update(const std::string& label, std::uint64_t done, std::uint64_t total) {
  const auto now = clock_.now();
  if (label != label_) {
    finish();
    label_ = label;
    started_ = drawn_ = now;
    first_ = done;
    tenth_ = -1;
  }
  const double part = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  if (!is_terminal(STDERR_FILENO)) {
    const int tenth = static_cast<int>(part * 10);
    const bool due = tenth != tenth_ && now - drawn_ >= std::chrono::seconds(1);
    if (total != 0 && (due || (done == total && tenth_ != 10))) {
      tenth_ = tenth;
      drawn_ = now;
      fmt::print(stderr, "{}: {} of {}\n", label, human_bytes(done), human_bytes(total));
    }
    return;
  }
  if (open_ && now - drawn_ < std::chrono::milliseconds(100) && done != total) return;
  drawn_ = now;
  open_ = true;
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(part * kWidth);
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0.2 ? static_cast<double>(done - first_) / seconds : 0;
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
  std::string tail = fmt::format("{:3.0f} %  {}  {}/s", part * 100, human_bytes(done),
                                 human_bytes(static_cast<std::uint64_t>(rate)));
  if (rate > 0 && total > done) {
    tail += fmt::format("  {:.0f} s left", static_cast<double>(total - done) / rate);
  }
  // A line that wraps could not be drawn over.
  const std::size_t room = columns() - std::min(columns(), kWidth + tail.size() + 3);
  const std::string name = label.size() <= room ? label : label.substr(0, room);
  fmt::print(stderr, "\r\033[K{} {} {}", name, styled(bar, "36"), tail);
  std::fflush(stderr);
}

void ProgressBar::finish() {
  if (open_) fmt::print(stderr, "\n");
  open_ = false;
}

int report(const absl::Status& status) {
  fmt::print(stderr, "{} {}\n", styled("plinth:", "31"), base::message(status));
  return 1;
}

int report_usage(std::string_view what, std::string_view hint) {
  fmt::print(stderr, "{} {}\n  {}\n", styled("plinth:", "31"), what, hint);
  return 2;
}

}  // namespace plinth
