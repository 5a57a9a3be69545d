// Cuts added tokens out of a text: control tokens and those that a model's file adds to the
// vocabulary. As Hugging Face's AddedVocabulary: leftmost, then longest.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenize/text_trie.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

class AddedTokens {
 public:
  void add(const AddedToken& token, std::string_view text);
  bool empty() const { return tokens_.empty(); }
  // visit(text, nullptr) for what lies between, visit(matched, token) for a match, in order; text
  // is never empty. Special tokens only where `special` is set, and none that touches a part of
  // `foreign` (ascending and apart, in bytes of `text`).
  void split(std::string_view text, bool special, std::span<const TextSpan> foreign,
             const std::function<void(std::string_view, const AddedToken*)>& visit) const;

 private:
  TextTrie trie_, without_special_;
  std::vector<AddedToken> tokens_;
};

}  // namespace plinth::model
