// Text to token ids and back, exactly as the model's own tokenizer does it.
//
// A TokenizerSpec is plain data read from GGUF metadata or tokenizer.json; make_tokenizer() turns
// it into an immutable Tokenizer. TextDecoder turns a stream of tokens into valid UTF-8 pieces.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

struct EncodeOptions {
  bool add_special = false;    // bos/eos or [CLS]/[SEP] as the model's config says
  bool parse_special = false;  // match control tokens in the text (templates, not user content)
  // Parts of the text, ascending and apart, in which and over whose ends no control token matches,
  // parse_special or not: what a request put into a rendered template.
  std::span<const TextSpan> foreign = {};
  // Ascending: added tokens that match as little there, though the file calls them no control
  // tokens: what a template writes (reserved_tokens()).
  std::span<const TokenId> reserved = {};
};

// A stream of tokens being decoded.
struct DecodeState {
  std::string held;      // bytes that do not end a character yet
  bool started = false;  // tokens came before
  int strip_left = 0;    // spaces still to be taken from the start of the text
};

// Immutable and thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Any bytes are accepted; ill-formed UTF-8 becomes U+FFFD first. ResourceExhausted where an
  // expression of the model's file needs more steps than limits.h allows.
  virtual absl::StatusOr<std::vector<TokenId>> encode(std::string_view text,
                                                      const EncodeOptions& options) const = 0;
  // The raw bytes of one token; control tokens give their text only where `special` is set.
  virtual std::string token_bytes(TokenId id, bool special = false) const = 0;
  // The whole text, as Hugging Face's decode() gives it (spaces and prefixes handled); equal to
  // what a TextDecoder gives in pieces.
  std::string decode(std::span<const TokenId> ids, bool skip_special = true) const;
  virtual std::int32_t vocab_size() const = 0;
  virtual const TokenizerSpec& spec() const = 0;
  virtual bool is_end_of_generation(TokenId id) const = 0;
  virtual bool is_control(TokenId id) const = 0;

  // The steps of decode(). These work for tokenizers whose text is the bytes of their tokens.
  // `continues`: the tokens follow others, so that nothing is taken from the start.
  virtual DecodeState decode_begin(bool continues) const;
  // Appends the text that `id` completes.
  virtual void decode_next(DecodeState& state, TokenId id, bool skip_special,
                           std::string& out) const;
  // Appends what is still held, as replacement characters.
  virtual void decode_end(DecodeState& state, std::string& out) const;
};

// InvalidArgument names the field: ids out of range, an unknown pre-tokenizer, an expression that
// does not compile, over-long tokens. Merges whose parts are not tokens never apply.
absl::StatusOr<std::unique_ptr<Tokenizer>> make_tokenizer(TokenizerSpec spec);

// Tokens in, valid UTF-8 out: bytes that end inside a character are held until it is complete;
// bytes that can never become one are replaced by U+FFFD. One per sequence; not thread-safe.
class TextDecoder {
 public:
  // `continues`: the tokens go on with a text (a completion's prompt), whose families take a space
  // from the start of a text do not take one here.
  explicit TextDecoder(const Tokenizer& tokenizer, bool continues = false)
      : tokenizer_(tokenizer), state_(tokenizer.decode_begin(continues)) {}
  // The text that `id` completes; may be empty.
  std::string push(TokenId id);
  // What is still held, as replacement characters.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  DecodeState state_;
};

}  // namespace plinth::model
