// What looks for harm in a text: lists and regexes today, a trained classifier tomorrow.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "governance/content_types.h"

namespace plinth::governance {

enum class FindingKind : std::uint8_t { category, jailbreak, blocklist, pii, failure };

// What a detector says of a span; what follows from it is the policy's.
struct FindingLabel {
  FindingKind kind = FindingKind::category;
  ContentCategory category = ContentCategory::hate;  // of category
  Severity severity = Severity::safe;                // of category
  PiiType pii = PiiType::email;                      // of pii
  std::size_t blocklist = 0;  // of blocklist: index into ContentPolicy::blocklists
};

struct Finding {
  FindingLabel label;
  // Bytes [begin, end) of the text as it was given, counted from its beginning.
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string message;  // of failure: which detector failed and why
};

// One text under one detector. The text comes in pieces, and what is found is the same however it
// is cut. Not thread-safe.
class DetectorRun {
 public:
  virtual ~DetectorRun() = default;
  // Appends to `found` what `text` completes, in no order. `last` ends the text.
  virtual void push(std::string_view text, bool last, std::vector<Finding>& found) = 0;
  // Everything that blocks or redacts and begins before this offset has been found.
  // At most the number of bytes pushed, and at least that number less kHoldBytesMax.
  virtual std::size_t undecided() const = 0;
};

// Immutable and thread-safe; outlives its runs.
class ContentDetector {
 public:
  virtual ~ContentDetector() = default;
  virtual std::unique_ptr<DetectorRun> start() const = 0;
};

}  // namespace plinth::governance
