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

// What may match where; see EncodeOptions.
struct AddedTokenRules {
  bool special = false;
  std::span<const TextSpan> foreign = {};  // in bytes of the text
  std::span<const TokenId> reserved = {};
};

class AddedTokens {
 public:
  void add(const AddedToken& token, std::string_view text);
  bool empty() const { return tokens_.empty(); }
  // visit(text, nullptr) for what lies between, visit(matched, token) for a match, in order; text
  // is never empty.
  void split(std::string_view text, const AddedTokenRules& rules,
             const std::function<void(std::string_view, const AddedToken*)>& visit) const;

 private:
  TextTrie trie_, without_special_;
  std::vector<AddedToken> tokens_;
};

}  // namespace plinth::model
