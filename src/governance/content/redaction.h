// Spans of a text that labels replace.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "governance/content_verdict.h"

namespace plinth::governance {

class Redactions {
 public:
  // In any order, but none may begin before what was written.
  void add(const PiiSpan& span);
  // Appends the part of the text up to its byte `until` that was not appended before. A span that
  // begins before `until` is replaced as a whole. `text` begins at the byte `base` of the whole
  // one.
  void append_to(std::string& out, std::string_view text, std::size_t base, std::size_t until);
  // Bytes of the text that have been written or replaced.
  std::size_t written() const { return written_; }

 private:
  std::vector<PiiSpan> spans_;  // by begin, those not yet written
  std::size_t written_ = 0;
};

}  // namespace plinth::governance
