// Lists of regular expressions, run over the normalised text.
#pragma once

#include <memory>
#include <vector>

#include "governance/content/bounded_regex.h"
#include "governance/content_detector.h"

namespace plinth::governance {

struct RegexRule {
  BoundedRegex regex;
  FindingLabel label;
  bool holds = false;  // text that could become a match must be held back
};

// Each rule finds matches from left to right that do not overlap and span up to kRegexWindowBytes.
// A rule whose search goes over its limits says so in a Finding of kind failure and rests for the
// remainder of the text; `failure_holds` where failures block.
std::shared_ptr<const ContentDetector> make_regex_detector(std::vector<RegexRule> rules,
                                                           bool failure_holds);

}  // namespace plinth::governance
