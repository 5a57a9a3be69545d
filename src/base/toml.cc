#include "base/toml.h"

#include <fmt/format.h>

#include <utility>

namespace plinth::base {

absl::StatusOr<toml::table> parse_toml(std::string_view text, std::string_view file) {
  auto parsed = toml::parse(text);
  if (!parsed) {
    const auto& error = parsed.error();
    return invalid_argument(
        fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  return std::move(parsed).table();
}

}  // namespace plinth::base
