// Text to token ids and back, exactly as the model's own tokenizer does it.
//
// A TokenizerSpec is plain data read from GGUF metadata or tokenizer.json; make_tokenizer() turns
// it into an immutable Tokenizer. TextDecoder turns a stream of tokens into valid UTF-8 pieces.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::model {

using TokenId = std::int32_t;

enum class TokenizerKind { byte_level_bpe, sentencepiece_bpe, wordpiece };

enum class TokenType : std::uint8_t { normal, unknown, control, user_defined, unused, byte };

struct AddedToken {
  TokenId id = 0;
  std::string text;
  bool special = false;  // control tokens: matched only where the caller allows it
  bool lstrip = false, rstrip = false, single_word = false, normalized = false;
};

struct TokenizerSpec {
  TokenizerKind kind = TokenizerKind::byte_level_bpe;
  // Which pre-tokenizer: "gpt2", "llama3", "qwen2", "smollm", "deepseek-llm", "deepseek-coder",
  // "deepseek-v3", "gpt-4o", ...; as GGUF's tokenizer.ggml.pre. Ignored by the other kinds.
  std::string pre = "gpt2";
  std::vector<std::string> tokens;  // by id
  std::vector<float> scores;        // sentencepiece: by id
  std::vector<TokenType> types;     // by id, or empty
  std::vector<std::string> merges;  // BPE: "left right", in rank order
  std::vector<AddedToken> added;
  std::optional<TokenId> bos, eos, unk, pad, cls, sep, mask;
  std::vector<TokenId> end_of_generation;  // eos and its like (eot, im_end)
  bool add_bos = false, add_eos = false;
  bool add_space_prefix = true;  // sentencepiece dummy prefix
  bool lowercase = false;        // wordpiece
  bool strip_accents = false;    // wordpiece
  // Further switches of tokenizer.json families are added here as they are needed.
};

struct EncodeOptions {
  bool add_special = false;    // bos/eos or [CLS]/[SEP] as the model's config says
  bool parse_special = false;  // match control tokens in the text (templates, not user content)
};

// Immutable and thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Any bytes are accepted; invalid UTF-8 is treated as the family does (replacement or bytes).
  virtual std::vector<TokenId> encode(std::string_view text,
                                      const EncodeOptions& options) const = 0;
  // The raw bytes of one token; control tokens give their text only where `special` is set.
  virtual std::string token_bytes(TokenId id, bool special = false) const = 0;
  // The whole text, as Hugging Face's decode() gives it (spaces and prefixes handled).
  virtual std::string decode(std::span<const TokenId> ids, bool skip_special = true) const = 0;
  virtual std::int32_t vocab_size() const = 0;
  virtual const TokenizerSpec& spec() const = 0;
  virtual bool is_end_of_generation(TokenId id) const = 0;
  virtual bool is_control(TokenId id) const = 0;
};

// InvalidArgument names the field: ids out of range, merges whose parts are not tokens, an unknown
// pre-tokenizer, over-long tokens.
absl::StatusOr<std::unique_ptr<Tokenizer>> make_tokenizer(TokenizerSpec spec);

// Tokens in, valid UTF-8 out: bytes that end inside a character are held until it is complete;
// bytes that can never become one are replaced by U+FFFD. One per sequence; not thread-safe.
class TextDecoder {
 public:
  explicit TextDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  // The text that `id` completes; may be empty.
  std::string push(TokenId id);
  // What is still held, as replacement characters.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::string held_;
};

}  // namespace plinth::model
