// What each token stands for, and how a stream of tokens becomes text: Hugging Face's decoders, one
// token at a time.
#pragma once

#include <string>
#include <vector>

#include "model/tokenizer.h"

namespace plinth::model {

// Immutable and thread-safe. `spec` must outlive it.
class TokenText {
 public:
  explicit TokenText(const TokenizerSpec& spec);
  const std::string& bytes(TokenId id) const { return bytes_[static_cast<std::size_t>(id)]; }
  DecodeState begin(bool continues) const;
  // `id` is in the vocabulary and is not skipped.
  void next(DecodeState& state, TokenId id, std::string& out) const;
  void end(DecodeState& state, std::string& out) const;

 private:
  void build_bytes(const std::vector<bool>& literal);
  void next_sentencepiece(DecodeState& state, TokenId id, std::string& out) const;
  void next_word(DecodeState& state, TokenId id, std::string& out) const;
  // Moves to `out` without the spaces that are taken from the start of a text.
  static void emit(DecodeState& state, std::string_view text, std::string& out);

  const TokenizerSpec& spec_;
  std::vector<std::string> bytes_;
  std::vector<bool> byte_token_;
};

// Appends the whole characters at the start of `held` and U+FFFD for each maximal part that can
// never become one, and leaves in `held` the beginning of a character.
void take_characters(std::string& held, std::string& out);

}  // namespace plinth::model
