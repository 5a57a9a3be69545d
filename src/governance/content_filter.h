// A content policy made ready to run: ContentPolicy and its blocklists, compiled.
//
// A caller compiles a filter when its policy changes, calls check_text for each prompt and for each
// completion that is sent whole, and makes a ContentStream for each choice that streams.
//
// What lists cannot do: they know words, not what is meant. They miss paraphrase, other languages,
// misspellings and what is harmful only in its context, and they take quotations, news and novels
// for threats. Severity is the term's, not the sentence's. They are a floor: cheap, predictable,
// explainable. A classifier joins as a ContentDetector.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "governance/content_blocklist.h"
#include "governance/content_detector.h"
#include "governance/content_policy.h"
#include "governance/content_verdict.h"

namespace plinth::governance {

// Immutable and thread-safe.
class ContentFilter {
 public:
  struct Extra {
    ContentSource source = ContentSource::prompt;
    std::shared_ptr<const ContentDetector> detector;
  };
  // NotFound where the policy names a blocklist that `blocklists` lacks; InvalidArgument names the
  // list and the item at fault; ResourceExhausted past the bounds of content_limits.h.
  static absl::StatusOr<std::shared_ptr<const ContentFilter>> compile(
      const ContentPolicy& policy, std::span<const Blocklist> blocklists = {},
      std::vector<Extra> extras = {});
  ~ContentFilter();

  const ContentPolicy& policy() const;
  // Whether anything is looked for. Where not, texts need no check.
  bool active(ContentSource source) const;

  // For check_text and ContentStream.
  enum class Effect { annotate, redact, block };
  Effect effect(ContentSource source, const FindingLabel& label) const;
  // One run of all detectors. Null where not active.
  std::unique_ptr<DetectorRun> start(ContentSource source) const;
  // Nothing found yet.
  ContentVerdict verdict(ContentSource source) const;
  void add(const Finding& finding, ContentVerdict& verdict) const;

 private:
  struct Impl;
  explicit ContentFilter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct CheckedText {
  ContentVerdict verdict;
  std::string redacted;  // the whole text with the policy's redactions
};

CheckedText check_text(const ContentFilter& filter, ContentSource source, std::string_view text);

}  // namespace plinth::governance
