#include "model/tokenize/spelt_tokens.h"

#include <vector>

#include "model/tokenize/unicode.h"

namespace plinth::model {

namespace {

std::vector<bool> not_spelt(const TokenizerSpec& spec) {
  std::vector<bool> out(spec.tokens.size(), false);
  for (std::size_t i = 0; i < spec.types.size() && i < out.size(); ++i) {
    out[i] = spec.types[i] == TokenType::control || spec.types[i] == TokenType::unknown ||
             spec.types[i] == TokenType::byte;
  }
  for (const AddedToken& added : spec.added) {
    if (added.special) out[static_cast<std::size_t>(added.id)] = true;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::string_view text = spec.tokens[i];
    if (!text.empty() && first_character(text).bytes == text.size()) out[i] = false;
  }
  return out;
}

}  // namespace

std::unordered_map<std::string_view, TokenId> spelt_tokens(const TokenizerSpec& spec) {
  const auto unspelt = not_spelt(spec);
  std::unordered_map<std::string_view, TokenId> tokens;
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!spec.tokens[i].empty() && !unspelt[i])
      tokens.emplace(spec.tokens[i], static_cast<TokenId>(i));
  }
  return tokens;
}

}  // namespace plinth::model
