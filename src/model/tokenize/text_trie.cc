#include "model/tokenize/text_trie.h"

namespace plinth::model {

void TextTrie::add(std::string_view text, std::int32_t value) {
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto [found, added] = edges_.try_emplace(edge(at, text[i]), Node{nodes_, -1});
    if (added) ++nodes_;
    at = found->second.index;
    // The first of two equal strings stays.
    if (i + 1 == text.size() && found->second.value < 0) found->second.value = value;
  }
}

TextTrie::Match TextTrie::longest(std::string_view text) const {
  Match best;
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto found = edges_.find(edge(at, text[i]));
    if (found == edges_.end()) break;
    at = found->second.index;
    if (found->second.value >= 0) best = {i + 1, found->second.value};
  }
  return best;
}

}  // namespace plinth::model
