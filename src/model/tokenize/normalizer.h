// What happens to text before it is split: Hugging Face's normalizers, without their offsets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/tokenize/split_regex.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// Immutable and thread-safe.
class Normalizer {
 public:
  static absl::StatusOr<Normalizer> create(std::vector<NormalizerStep> steps);
  // `text` is well-formed UTF-8, and so is the result. ResourceExhausted where an expression takes
  // too many steps or the text grows past limits.h.
  absl::StatusOr<std::string> apply(std::string text) const;
  bool empty() const { return steps_.empty(); }

 private:
  struct Step {
    NormalizerStep spec;
    std::optional<SplitRegex> regex;
  };
  std::vector<Step> steps_;
};

}  // namespace plinth::model
