// WordPiece: the longest token that a word begins with, then the longest that goes on, ...
// Devlin et al., "BERT: pre-training of deep bidirectional transformers", 2018.
#include <fmt/format.h>

#include "model/limits.h"
#include "model/tokenize/piece_model.h"
#include "model/tokenize/text_trie.h"
#include "model/tokenize/unicode.h"

namespace plinth::model {

namespace {

class WordPiece final : public PieceModel {
 public:
  explicit WordPiece(const TokenizerSpec& spec)
      : unknown_(*spec.unk), word_chars_max_(spec.word_chars_max) {
    const std::string& prefix = spec.continuing_prefix;
    for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
      const std::string_view text = spec.tokens[i];
      const auto id = static_cast<std::int32_t>(i);
      begins_.add(text, id);
      if (text.starts_with(prefix)) goes_on_.add(text.substr(prefix.size()), id);
    }
  }

  void encode(std::string_view word, BpeMerger&, std::vector<TokenId>& ids) const override {
    const std::size_t before = ids.size();
    std::size_t characters = 0;
    for (std::size_t at = 0; at < word.size() && characters <= word_chars_max_; ++characters)
      at += first_character(word.substr(at)).bytes;
    if (characters > word_chars_max_) {
      ids.push_back(unknown_);
      return;
    }
    for (std::size_t at = 0; at < word.size();) {
      const auto match = (at == 0 ? begins_ : goes_on_).longest(word.substr(at));
      if (match.bytes == 0) {
        ids.resize(before);
        ids.push_back(unknown_);
        return;
      }
      ids.push_back(match.value);
      at += match.bytes;
    }
  }

 private:
  TextTrie begins_, goes_on_;
  const TokenId unknown_;
  const std::size_t word_chars_max_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PieceModel>> make_wordpiece(const TokenizerSpec& spec) {
  if (!spec.unk) return base::invalid_argument("[tokenizer] WordPiece has no unknown token");
  if (spec.word_chars_max > kWordCharsMax) {
    return base::invalid_argument(fmt::format("[tokenizer] words of {} characters are over {}",
                                              spec.word_chars_max, kWordCharsMax));
  }
  return std::unique_ptr<PieceModel>(std::make_unique<WordPiece>(spec));
}

}  // namespace plinth::model
