// What a content filter says of one text.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "governance/content_types.h"

namespace plinth::governance {

struct CategoryResult {
  bool checked = false;
  Severity severity = Severity::safe;  // the most severe span's
  bool filtered = false;               // it is why the text is blocked
};

struct DetectionResult {
  bool checked = false;
  bool detected = false;
  bool filtered = false;
};

struct BlocklistResult {
  std::string name;
  bool matched = false;
  bool filtered = false;
};

struct PiiSpan {
  PiiType type = PiiType::email;
  // Bytes [begin, end) of the text before redaction.
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const PiiSpan&) const = default;
};

struct ContentVerdict {
  ContentSource source = ContentSource::prompt;
  bool blocked = false;
  // The first byte that must not be shown, where blocked.
  std::size_t block_begin = 0;
  std::array<CategoryResult, kContentCategories.size()> categories;  // by index_of
  DetectionResult jailbreak;
  std::vector<BlocklistResult> blocklists;  // those the policy names for this source
  DetectionResult pii;
  bool pii_redacted = false;
  std::vector<PiiSpan> pii_spans;  // the first kVerdictSpansMax
  // Why a detector failed; the rest of the verdict then is that of the others.
  std::optional<std::string> failure;
};

// The verdict of several texts together, of the same policy and source; block_begin and spans stay
// those of `into`.
void merge(const ContentVerdict& other, ContentVerdict& into);
// `verdict` as if jailbreaks were not looked for: instructions that the application gives may well
// read like one.
void forget_jailbreak(ContentVerdict& verdict);

}  // namespace plinth::governance
