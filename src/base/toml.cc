#include "base/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace plinth::base {

namespace {

// Walks over TOML's strings and comments; the parser proper tells what else is wrong.
class AsciiCheck {
 public:
  explicit AsciiCheck(std::string_view text) : rest_(text) {}

  // The offset of the first character that toml++ must not see.
  std::optional<std::size_t> first_fault() {
    const std::size_t size = rest_.size();
    while (!rest_.empty()) {
      if (is_foreign(rest_.front())) return size - rest_.size();
      if (rest_.front() == '#') {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (rest_.front() == '"' || rest_.front() == '\'') {
        if (!skip_string()) return size - rest_.size();
      } else {
        rest_.remove_prefix(1);
      }
    }
    return std::nullopt;
  }

 private:
  static bool is_foreign(char c) { return static_cast<unsigned char>(c) >= 0x80; }

  // False before a character outside ASCII that follows a line's closing backslash.
  bool skip_string() {
    const char quote = rest_.front();
    const std::string triple(3, quote);
    const bool many_lines = rest_.starts_with(triple);
    const std::string_view close = many_lines ? std::string_view(triple) : rest_.substr(0, 1);
    rest_.remove_prefix(close.size());
    while (!rest_.empty() && !rest_.starts_with(close)) {
      if (!many_lines && rest_.front() == '\n') return true;
      const bool escape = quote == '"' && rest_.front() == '\\';
      rest_.remove_prefix(1);
      if (!escape || rest_.empty()) continue;
      const std::size_t spaces = std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size());
      rest_.remove_prefix(spaces == 0 ? 1 : many_lines ? spaces : 0);
      if (spaces > 0 && !rest_.empty() && is_foreign(rest_.front())) return false;
    }
    rest_.remove_prefix(std::min(close.size(), rest_.size()));
    // Three quotes close; one or two more before them belong to the text.
    for (int i = 0; many_lines && i < 2 && rest_.starts_with(quote); ++i) rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

absl::StatusOr<toml::table> parse_toml(std::string_view text, std::string_view file) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  if (const auto fault = AsciiCheck(text).first_fault()) {
    return invalid_argument(
        fmt::format("{}:{}: a character outside ASCII where no string or comment is", file,
                    1 + std::count(text.begin(), text.begin() + static_cast<long>(*fault), '\n')));
  }
  auto parsed = toml::parse(text);
  if (!parsed) {
    const auto& error = parsed.error();
    return invalid_argument(
        fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  return std::move(parsed).table();
}

}  // namespace plinth::base
