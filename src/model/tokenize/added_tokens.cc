#include "model/tokenize/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>

#include "model/tokenize/unicode.h"

namespace plinth::model {

namespace {

// A word's character, as Rust's \w: alphabetic, marks, decimal digits, connectors, joiners.
bool is_word(std::uint32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return code == 0x200C || code == 0x200D;
  }
}

bool ends_with_word(std::string_view text) {
  if (text.empty()) return false;
  std::size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return is_word(first_character(text.substr(at)).code);
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && is_word(first_character(text).code);
}

}  // namespace

void AddedTokens::add(const AddedToken& token, std::string_view text) {
  if (text.empty()) return;
  const auto index = static_cast<std::int32_t>(tokens_.size());
  trie_.add(text, index);
  if (!token.special) without_special_.add(text, index);
  tokens_.push_back(token);
}

void AddedTokens::split(
    std::string_view text, const AddedTokenRules& rules,
    const std::function<void(std::string_view, const AddedToken*)>& visit) const {
  std::size_t done = 0;
  auto next = rules.foreign.begin();
  const auto reserved = [&](std::int32_t index) {
    return std::binary_search(rules.reserved.begin(), rules.reserved.end(),
                              tokens_[static_cast<std::size_t>(index)].id);
  };
  const auto match_at = [&](std::size_t at) {
    auto match = without_special_.longest(text.substr(at));
    while (next != rules.foreign.end() && next->end <= at) ++next;
    const std::size_t limit = next == rules.foreign.end() ? text.size() : next->begin;
    if (at + match.bytes > limit && match.bytes > 0 && reserved(match.value)) match = {};
    if (rules.special && at < limit) {
      const auto control = trie_.longest(text.substr(at, limit - at));
      if (control.bytes > match.bytes) match = control;
    }
    return match;
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto match = match_at(at);
    if (match.bytes == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.value)];
    std::size_t begin = at, end = at + match.bytes;
    at = end;
    if (token.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) {
      continue;
    }
    if (token.lstrip) {
      begin = std::max(done, stripped(text.substr(0, begin), false, true).size());
    }
    if (token.rstrip) end = text.size() - stripped(text.substr(end), true, false).size();
    if (begin > done) visit(text.substr(done, begin - done), nullptr);
    visit(text.substr(begin, end - begin), &token);
    done = at = end;
  }
  if (done < text.size()) visit(text.substr(done), nullptr);
}

}  // namespace plinth::model
