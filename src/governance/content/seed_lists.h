// The built-in lists: terms and regexes of the four categories, and of jailbreaks.
#pragma once

#include <span>
#include <string_view>

#include "governance/content_types.h"

namespace plinth::governance {

// Modest on purpose. Low is what news and fiction say too, medium is what a workplace would not
// want, high is what asks for harm or incites to it. Slurs are left to operators' blocklists: which
// words are slurs depends on place and speaker, and a list of them helps nobody who reads the code.
struct SeedPattern {
  ContentCategory category;
  Severity severity;
  std::string_view pattern;
};

std::span<const SeedPattern> seed_terms();
std::span<const SeedPattern> seed_regexes();
std::span<const std::string_view> jailbreak_phrases();
std::span<const std::string_view> jailbreak_regexes();

}  // namespace plinth::governance
