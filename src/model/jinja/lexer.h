// Template text to tokens, with Jinja's whitespace control.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::model::jinja {

enum class TokenKind {
  text,
  output_begin,
  output_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  real,
  symbol,
  end
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  int line = 1;
};

absl::StatusOr<std::vector<Token>> tokenize(std::string_view source);

}  // namespace plinth::model::jinja
