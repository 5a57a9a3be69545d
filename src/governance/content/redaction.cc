#include "governance/content/redaction.h"

#include <algorithm>

namespace plinth::governance {

void Redactions::add(const PiiSpan& span) {
  const auto after = [](const PiiSpan& a, const PiiSpan& b) { return a.begin < b.begin; };
  spans_.insert(std::upper_bound(spans_.begin(), spans_.end(), span, after), span);
}

void Redactions::append_to(std::string& out, std::string_view text, std::size_t base,
                           std::size_t until) {
  const auto copy_to = [&](std::size_t end) {
    if (end <= written_) return;
    out += text.substr(written_ - base, end - written_);
    written_ = end;
  };
  std::size_t done = 0;
  for (; done < spans_.size() && spans_[done].begin < until; ++done) {
    const PiiSpan& span = spans_[done];
    // Two detectors may see the same thing: what is replaced already is not named again.
    if (span.begin >= written_) {
      copy_to(span.begin);
      out += redaction_label(span.type);
    }
    written_ = std::max(written_, span.end);
  }
  spans_.erase(spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(done));
  copy_to(until);
}

}  // namespace plinth::governance
