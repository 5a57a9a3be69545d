// What a stream may send of a text, worked out without any holding back. For tests.
#pragma once

#include <string>

#include "governance/content_filter.h"

namespace plinth::governance {

inline std::string sendable(const ContentFilter& filter, const std::string& text) {
  const CheckedText checked = check_text(filter, ContentSource::completion, text);
  if (!checked.verdict.blocked) return checked.redacted;
  const std::size_t end = checked.verdict.block_begin;
  if (!checked.verdict.pii_redacted) return text.substr(0, end);
  std::string out;
  std::size_t at = 0;
  for (const PiiSpan& span : checked.verdict.pii_spans) {
    if (span.begin >= end) break;
    out += text.substr(at, span.begin - at);
    out += redaction_label(span.type);
    at = span.end;
  }
  if (at < end) out += text.substr(at, end - at);
  return out;
}

}  // namespace plinth::governance
