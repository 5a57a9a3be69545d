// A tokenizer as plain data, read from GGUF metadata or from tokenizer.json.
//
// The stages are Hugging Face's: added tokens are cut out of the text, what lies between them is
// normalised, split into pieces, and each piece becomes tokens; before and after stand the special
// tokens of the model. A detokenizer goes the other way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plinth::model {

using TokenId = std::int32_t;

enum class TokenizerKind { byte_level_bpe, sentencepiece_bpe, wordpiece };

enum class TokenType : std::uint8_t { normal, unknown, control, user_defined, unused, byte };

// Bytes [begin, end) of a text.
struct TextSpan {
  std::size_t begin = 0, end = 0;
};

struct AddedToken {
  TokenId id = 0;
  std::string text;
  bool special = false;  // control tokens: matched only where the caller allows it
  bool lstrip = false, rstrip = false, single_word = false, normalized = false;
};

struct MergeRule {
  std::string left, right;
};

struct NormalizerStep {
  enum class Kind { nfc, nfd, nfkc, nfkd, lowercase, strip, strip_accents, replace, prepend, bert };
  Kind kind = Kind::nfc;
  std::string pattern;             // replace: literal text, or an expression where `regex` is set
  std::string content;             // replace: what is put instead; prepend: what is put before
  bool regex = false;              // replace
  bool left = true, right = true;  // strip
  bool clean_text = true;          // bert: control characters go, white space becomes a space
  bool space_around_cjk = true;    // bert
  bool remove_accents = true;      // bert
  bool to_lowercase = true;        // bert
};

struct PreTokenizerStep {
  enum class Kind { split, metaspace, prefix_space, bert };
  // What becomes of the matches of a split.
  enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
  enum class Prepend { always, first, never };
  Kind kind = Kind::split;
  std::string pattern;  // split: an expression, or literal text where `regex` is not set
  bool regex = true;
  bool invert = false;
  Behavior behavior = Behavior::isolated;
  Prepend prepend = Prepend::always;  // metaspace
  bool split_at_spaces = true;        // metaspace
};

struct Detokenizer {
  enum class Kind { byte_level, sentencepiece, metaspace, wordpiece, spaced };
  Kind kind = Kind::byte_level;
  int strip_left = 0;         // sentencepiece: spaces taken from the start of the whole text
  std::string prefix = "##";  // wordpiece: of tokens that go on with a word
  bool cleanup = true;        // wordpiece: " ." becomes "." and the like
};

struct TokenizerSpec {
  TokenizerKind kind = TokenizerKind::byte_level_bpe;
  // Family, as GGUF's tokenizer.ggml.pre: "gpt-2", "llama-bpe", "qwen2", "smollm", "deepseek-llm",
  // "gpt-4o", ... make_tokenizer() takes the stages from it unless `stages_given` is set.
  std::string pre = "gpt2";
  std::vector<std::string> tokens;  // by id
  std::vector<float> scores;        // sentencepiece: by id; where empty, `merges` say the order
  std::vector<TokenType> types;     // by id, or empty
  std::vector<MergeRule> merges;    // in rank order
  std::vector<AddedToken> added;
  std::optional<TokenId> bos, eos, unk, pad, cls, sep, mask;
  std::vector<TokenId> end_of_generation;  // eos and its like (eot, im_end)
  // What add_special puts around a text; where both are empty, bos and eos as add_bos, add_eos say.
  std::vector<TokenId> before, after;
  bool add_bos = false, add_eos = false;
  bool add_space_prefix = true;  // sentencepiece without `stages_given`: the dummy prefix
  bool lowercase = false;        // wordpiece without `stages_given`
  bool strip_accents = false;    // wordpiece without `stages_given`

  bool stages_given = false;  // the three below are complete
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  Detokenizer detokenizer;

  bool byte_fallback = false;            // BPE over characters: unknown ones become <0xNN> tokens
  bool fuse_unk = false;                 // BPE over characters: neighbouring unknown ones are one
  bool ignore_merges = false;            // BPE: a piece that is a token is that token
  std::string continuing_prefix = "##";  // wordpiece
  std::size_t word_chars_max = 100;      // wordpiece: longer words are unknown
};

}  // namespace plinth::model
