// Splits text into the pieces that become tokens each for itself, step by step: each step splits
// what the one before left. Hugging Face's pre_tokenizers, without their offsets.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/tokenize/split_regex.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// GPT-2's expression, which ByteLevel with use_regex splits by.
extern const char* const kGpt2Expression;

// Immutable and thread-safe.
class PreTokenizer {
 public:
  using Visit = std::function<void(std::string_view)>;
  // InvalidArgument for an expression that is not supported, or too many steps.
  static absl::StatusOr<PreTokenizer> create(std::vector<PreTokenizerStep> steps);
  // `text` is well-formed UTF-8; `first` where it starts the whole text. visit(piece) in order.
  absl::Status split(std::string_view text, bool first, const Visit& visit) const;

 private:
  struct Step {
    PreTokenizerStep spec;
    std::optional<SplitRegex> regex;
  };
  struct Range {
    std::size_t begin, end;
    bool match;
  };
  absl::Status run(std::size_t index, std::string_view text, bool first, const Visit& visit) const;
  absl::Status split_step(std::size_t index, std::string_view text, bool first,
                          const Visit& visit) const;
  absl::Status bert_step(std::size_t index, std::string_view text, bool first,
                         const Visit& visit) const;
  absl::Status metaspace_step(std::size_t index, std::string_view text, bool first,
                              const Visit& visit) const;
  std::vector<Step> steps_;
};

}  // namespace plinth::model
