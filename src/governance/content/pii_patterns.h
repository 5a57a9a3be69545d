// Shapes and checksums of what identifies a person. Each reads a text that may still grow.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "governance/content_types.h"

namespace plinth::governance {

// Characters of a text; remembers whether anything asked for one behind its end, in which case more
// text may change the answer.
class PiiReader {
 public:
  explicit PiiReader(std::string_view text) : text_(text) {}
  // 0 behind the end.
  char at(std::size_t i) {
    if (i < text_.size()) return text_[i];
    past_end_ = true;
    return 0;
  }
  // The character before, or a space at the beginning.
  char before(std::size_t i) const { return i > 0 ? text_[i - 1] : ' '; }
  bool past_end() const { return past_end_; }

 private:
  std::string_view text_;
  bool past_end_ = false;
};

struct PiiMatch {
  PiiType type = PiiType::email;
  std::size_t bytes = 0;
};

// What begins at `at`, looking at no more than kPiiBytesMax from there. The answer stands only if
// reader.past_end() is false or the text ends there.
std::optional<PiiMatch> match_pii(PiiReader& reader, std::size_t at);

// ISO/IEC 7812-1, annex B. `digits` are 0 to 9.
bool luhn_valid(std::span<const unsigned char> digits);
// ISO 13616: letters and digits without spaces, the country's length included.
bool iban_valid(std::string_view iban);

}  // namespace plinth::governance
