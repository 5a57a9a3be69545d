#include "apps/password_input.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "apps/terminal.h"

namespace plinth {

namespace {

// Typing is not shown while it lives.
class Hidden {
 public:
  Hidden() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  ~Hidden() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    fmt::print(stderr, "\n");
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

absl::StatusOr<std::string> read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return base::invalid_argument("no password was given");
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

absl::StatusOr<std::string> ask(std::string_view prompt) {
  fmt::print(stderr, "{}: ", prompt);
  const Hidden hidden;
  return read_line();
}

}  // namespace

absl::StatusOr<std::string> read_new_password(std::string_view prompt) {
  if (!is_terminal(STDIN_FILENO)) return read_line();
  ASSIGN_OR_RETURN(const auto first, ask(prompt));
  ASSIGN_OR_RETURN(const auto second, ask("again"));
  if (first == second) return first;
  return base::invalid_argument("the two passwords differ; nothing was changed");
}

}  // namespace plinth
