#include "apps/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace plinth {

bool is_terminal(int fd) { return ::isatty(fd) != 0; }

std::string styled(std::string_view text, std::string_view style) {
  const char* no_color = std::getenv("NO_COLOR");
  if ((no_color != nullptr && *no_color != 0) || !is_terminal(STDERR_FILENO)) {
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

void ProgressBar::update(const std::string& label, std::uint64_t done, std::uint64_t total) {
  const auto now = clock_.now();
  if (label != label_) {
    finish();
    label_ = label;
    started_ = now;
    first_ = done;
    tenth_ = -1;
  }
  const double part = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  if (!is_terminal(STDERR_FILENO)) {
    const int tenth = static_cast<int>(part * 10);
    if (total != 0 && tenth != tenth_) {
      tenth_ = tenth;
      fmt::print(stderr, "{}: {} of {}\n", label, human_bytes(done), human_bytes(total));
    }
    return;
  }
  if (open_ && now - drawn_ < std::chrono::milliseconds(100) && done != total) return;
  drawn_ = now;
  open_ = true;
  constexpr int kWidth = 30;
  const int filled = static_cast<int>(part * kWidth);
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0.2 ? static_cast<double>(done - first_) / seconds : 0;
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
  fmt::print(stderr, "\r\033[K{} {} {:3.0f} %  {}  {}/s", label, styled(bar, "36"), part * 100,
             human_bytes(done), human_bytes(static_cast<std::uint64_t>(rate)));
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

}  // namespace plinth
