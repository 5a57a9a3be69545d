#include "governance/content_verdict.h"

#include <algorithm>

namespace plinth::governance {

namespace {

void merge(const DetectionResult& other, DetectionResult& into) {
  into.checked = into.checked || other.checked;
  into.detected = into.detected || other.detected;
  into.filtered = into.filtered || other.filtered;
}

}  // namespace

void merge(const ContentVerdict& other, ContentVerdict& into) {
  into.blocked = into.blocked || other.blocked;
  for (std::size_t i = 0; i < into.categories.size(); ++i) {
    auto& category = into.categories[i];
    category.checked = category.checked || other.categories[i].checked;
    category.severity = std::max(category.severity, other.categories[i].severity);
    category.filtered = category.filtered || other.categories[i].filtered;
  }
  merge(other.jailbreak, into.jailbreak);
  merge(other.pii, into.pii);
  into.pii_redacted = into.pii_redacted || other.pii_redacted;
  // One policy: the same lists in the same order, none where nothing was looked for.
  if (into.blocklists.empty()) into.blocklists = other.blocklists;
  for (std::size_t i = 0; i < std::min(into.blocklists.size(), other.blocklists.size()); ++i) {
    into.blocklists[i].matched = into.blocklists[i].matched || other.blocklists[i].matched;
    into.blocklists[i].filtered = into.blocklists[i].filtered || other.blocklists[i].filtered;
  }
  if (!into.failure) into.failure = other.failure;
}

void forget_jailbreak(ContentVerdict& verdict) {
  const bool was_cause = verdict.jailbreak.filtered;
  verdict.jailbreak.detected = verdict.jailbreak.filtered = false;
  if (!was_cause || verdict.failure) return;
  verdict.blocked = verdict.pii.filtered ||
                    std::any_of(verdict.categories.begin(), verdict.categories.end(),
                                [](const auto& category) { return category.filtered; }) ||
                    std::any_of(verdict.blocklists.begin(), verdict.blocklists.end(),
                                [](const auto& list) { return list.filtered; });
}

}  // namespace plinth::governance
