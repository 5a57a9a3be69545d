// Lists of words and phrases, found in the normalised text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "governance/content_detector.h"

namespace plinth::governance {

struct Term {
  std::u32string text;  // normalised
  FindingLabel label;
  bool whole_word = true;  // no word goes on before or after it
  bool holds = false;      // text that could become it must be held back
};

// The normalised form of a list's item. InvalidArgument where it is too long or says nothing.
absl::StatusOr<std::u32string> normalize_term(std::string_view text);

// A term of ASCII letters is also found where letters have been replaced by look-alikes
// (skeleton.h) if at least half of it stands as it is: "k1ll", but not the number 455 or a word
// that is Cyrillic throughout. Words in which letters are spaced out or misspelt are not found.
absl::StatusOr<std::shared_ptr<const ContentDetector>> make_term_detector(std::vector<Term> terms);

}  // namespace plinth::governance
