#include "governance/content_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "governance/content/bounded_regex.h"
#include "governance/content/pii_detector.h"
#include "governance/content/redaction.h"
#include "governance/content/regex_detector.h"
#include "governance/content/seed_lists.h"
#include "governance/content/term_detector.h"
#include "governance/content_limits.h"

namespace plinth::governance {

namespace {

using Detectors = std::vector<std::shared_ptr<const ContentDetector>>;
constexpr std::array kSources = {ContentSource::prompt, ContentSource::completion};

class AllRuns : public DetectorRun {
 public:
  explicit AllRuns(const Detectors& detectors) {
    for (const auto& detector : detectors) runs_.push_back(detector->start());
  }
  void push(std::string_view text, bool last, std::vector<Finding>& found) override {
    for (const auto& run : runs_) run->push(text, last, found);
  }
  std::size_t undecided() const override {
    std::size_t first = runs_.front()->undecided();
    for (const auto& run : runs_) first = std::min(first, run->undecided());
    return first;
  }

 private:
  std::vector<std::unique_ptr<DetectorRun>> runs_;
};

// What one source's detectors are made of.
struct Parts {
  std::vector<Term> terms;
  std::vector<RegexRule> regexes;
};

}  // namespace

struct ContentFilter::Impl {
  ContentPolicy policy;
  std::array<Detectors, kSources.size()> detectors;

  const Detectors& of(ContentSource source) const {
    return detectors[static_cast<std::size_t>(source)];
  }
  Effect effect(ContentSource source, const FindingLabel& label) const;
  bool holds(ContentSource source, const FindingLabel& label) const;
  void add_seeds(ContentSource source, Parts& parts) const;
  absl::Status add_blocklists(ContentSource source, std::span<const Blocklist> lists,
                              Parts& parts) const;
  absl::StatusOr<Detectors> make_detectors(ContentSource source, Parts parts) const;
};

ContentFilter::Effect ContentFilter::Impl::effect(ContentSource source,
                                                  const FindingLabel& label) const {
  const SourceRules& rules = policy.rules(source);
  const auto block_if = [](bool block) { return block ? Effect::block : Effect::annotate; };
  switch (label.kind) {
    case FindingKind::category: {
      const CategoryRule& rule = rules.categories[index_of(label.category)];
      return block_if(rule.enabled && rule.blocking && label.severity >= rule.threshold);
    }
    case FindingKind::jailbreak:
      return block_if(policy.jailbreak.enabled && policy.jailbreak.blocking);
    case FindingKind::blocklist:
      return block_if(label.blocklist < policy.blocklists.size() &&
                      policy.blocklists[label.blocklist].blocking);
    case FindingKind::pii:
      return rules.pii == PiiAction::redact ? Effect::redact
                                            : block_if(rules.pii == PiiAction::block);
    case FindingKind::failure:
      return block_if(!rules.fail_open);
  }
  return Effect::annotate;
}

// A prompt is seen whole before anything is done with it.
bool ContentFilter::Impl::holds(ContentSource source, const FindingLabel& label) const {
  if (source == ContentSource::prompt) return false;
  const Effect what = effect(source, label);
  if (policy.mode == ContentMode::asynchronous_filter) return what == Effect::redact;
  return what != Effect::annotate;
}

void ContentFilter::Impl::add_seeds(ContentSource source, Parts& parts) const {
  const auto add_term = [&](std::string_view text, const FindingLabel& label) {
    auto term = normalize_term(text);
    CHECK(term.ok());
    parts.terms.push_back({*std::move(term), label, true, holds(source, label)});
  };
  const auto add_regex = [&](std::string_view text, const FindingLabel& label) {
    auto regex = BoundedRegex::compile(text);
    CHECK(regex.ok());
    parts.regexes.push_back({*std::move(regex), label, holds(source, label)});
  };
  const auto label_of = [](const SeedPattern& seed) {
    return FindingLabel{.category = seed.category, .severity = seed.severity};
  };
  const auto wanted = [&](const SeedPattern& seed) {
    return policy.rules(source).categories[index_of(seed.category)].enabled;
  };
  for (const SeedPattern& seed : seed_terms()) {
    if (wanted(seed)) add_term(seed.pattern, label_of(seed));
  }
  for (const SeedPattern& seed : seed_regexes()) {
    if (wanted(seed)) add_regex(seed.pattern, label_of(seed));
  }
  if (source == ContentSource::prompt && policy.jailbreak.enabled) {
    const FindingLabel label{.kind = FindingKind::jailbreak};
    for (const std::string_view phrase : jailbreak_phrases()) add_term(phrase, label);
    for (const std::string_view regex : jailbreak_regexes()) add_regex(regex, label);
  }
}

absl::Status ContentFilter::Impl::add_blocklists(ContentSource source,
                                                 std::span<const Blocklist> lists,
                                                 Parts& parts) const {
  for (std::size_t use = 0; use < policy.blocklists.size(); ++use) {
    if (policy.blocklists[use].source != source) continue;
    const std::string& name = policy.blocklists[use].name;
    const auto list = std::find_if(lists.begin(), lists.end(),
                                   [&](const Blocklist& known) { return known.name == name; });
    if (list == lists.end()) {
      return base::not_found(fmt::format("[content policy] there is no blocklist \"{}\"", name));
    }
    if (list->items.size() > kBlocklistItemsMax) {
      return base::resource_exhausted(
          fmt::format("[content policy] blocklist \"{}\" has {} items; the limit is {}", name,
                      list->items.size(), kBlocklistItemsMax));
    }
    const FindingLabel label{.kind = FindingKind::blocklist, .blocklist = use};
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const BlocklistItem& item = list->items[i];
      const std::string where = fmt::format("[content policy] blocklist \"{}\" item {}", name, i);
      if (item.is_regex) {
        auto regex = BoundedRegex::compile(item.pattern);
        if (!regex.ok()) return base::annotate(regex.status(), where);
        parts.regexes.push_back({*std::move(regex), label, holds(source, label)});
      } else {
        auto term = normalize_term(item.pattern);
        if (!term.ok()) return base::annotate(term.status(), where);
        parts.terms.push_back({*std::move(term), label, item.whole_word, holds(source, label)});
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Detectors> ContentFilter::Impl::make_detectors(ContentSource source,
                                                              Parts parts) const {
  Detectors made;
  if (!parts.terms.empty()) {
    ASSIGN_OR_RETURN(auto detector, make_term_detector(std::move(parts.terms)));
    made.push_back(std::move(detector));
  }
  if (parts.regexes.size() > kRegexesMax) {
    return base::resource_exhausted(fmt::format(
        "[content policy] {} regexes are over the limit of {}", parts.regexes.size(), kRegexesMax));
  }
  if (!parts.regexes.empty()) {
    const FindingLabel failure{.kind = FindingKind::failure};
    made.push_back(make_regex_detector(std::move(parts.regexes), holds(source, failure)));
  }
  if (policy.rules(source).pii != PiiAction::off) {
    made.push_back(make_pii_detector(holds(source, {.kind = FindingKind::pii})));
  }
  return made;
}

ContentFilter::ContentFilter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ContentFilter::~ContentFilter() = default;

absl::StatusOr<std::shared_ptr<const ContentFilter>> ContentFilter::compile(
    const ContentPolicy& policy, std::span<const Blocklist> blocklists, std::vector<Extra> extras) {
  auto impl = std::make_unique<Impl>();
  impl->policy = policy;
  for (const ContentSource source : kSources) {
    Parts parts;
    impl->add_seeds(source, parts);
    RETURN_IF_ERROR(impl->add_blocklists(source, blocklists, parts));
    ASSIGN_OR_RETURN(impl->detectors[static_cast<std::size_t>(source)],
                     impl->make_detectors(source, std::move(parts)));
  }
  for (Extra& extra : extras) {
    impl->detectors[static_cast<std::size_t>(extra.source)].push_back(std::move(extra.detector));
  }
  return std::unique_ptr<ContentFilter>(new ContentFilter(std::move(impl)));
}

const ContentPolicy& ContentFilter::policy() const { return impl_->policy; }

bool ContentFilter::active(ContentSource source) const { return !impl_->of(source).empty(); }

ContentFilter::Effect ContentFilter::effect(ContentSource source, const FindingLabel& label) const {
  return impl_->effect(source, label);
}

std::unique_ptr<DetectorRun> ContentFilter::start(ContentSource source) const {
  if (!active(source)) return nullptr;
  return std::make_unique<AllRuns>(impl_->of(source));
}

ContentVerdict ContentFilter::verdict(ContentSource source) const {
  const ContentPolicy& policy = impl_->policy;
  ContentVerdict verdict;
  verdict.source = source;
  for (const ContentCategory category : kContentCategories) {
    const std::size_t i = index_of(category);
    verdict.categories[i].checked = policy.rules(source).categories[i].enabled;
  }
  verdict.jailbreak.checked = source == ContentSource::prompt && policy.jailbreak.enabled;
  verdict.pii.checked = policy.rules(source).pii != PiiAction::off;
  for (const BlocklistUse& use : policy.blocklists) {
    if (use.source == source) verdict.blocklists.push_back({.name = use.name});
  }
  return verdict;
}

void ContentFilter::add(const Finding& finding, ContentVerdict& verdict) const {
  const FindingLabel& label = finding.label;
  const Effect what = effect(verdict.source, label);
  const bool blocks = what == Effect::block;
  if (blocks) {
    verdict.block_begin =
        verdict.blocked ? std::min(verdict.block_begin, finding.begin) : finding.begin;
    verdict.blocked = true;
  }
  const auto detect = [&](DetectionResult& result) {
    result.detected = true;
    result.filtered = result.filtered || blocks;
  };
  switch (label.kind) {
    case FindingKind::category: {
      CategoryResult& result = verdict.categories[index_of(label.category)];
      result.severity = std::max(result.severity, label.severity);
      result.filtered = result.filtered || blocks;
      break;
    }
    case FindingKind::jailbreak:
      detect(verdict.jailbreak);
      break;
    case FindingKind::blocklist:
      for (BlocklistResult& list : verdict.blocklists) {
        if (label.blocklist >= impl_->policy.blocklists.size()) break;
        if (list.name != impl_->policy.blocklists[label.blocklist].name) continue;
        list.matched = true;
        list.filtered = list.filtered || blocks;
      }
      break;
    case FindingKind::pii:
      detect(verdict.pii);
      verdict.pii_redacted = verdict.pii_redacted || what == Effect::redact;
      if (verdict.pii_spans.size() < kVerdictSpansMax) {
        verdict.pii_spans.push_back({label.pii, finding.begin, finding.end});
      }
      break;
    case FindingKind::failure:
      if (!verdict.failure.has_value()) verdict.failure = finding.message;
      break;
  }
}

CheckedText check_text(const ContentFilter& filter, ContentSource source, std::string_view text) {
  CheckedText checked{filter.verdict(source), {}};
  const auto run = filter.start(source);
  if (run == nullptr) {
    checked.redacted = text;
    return checked;
  }
  std::vector<Finding> found;
  Redactions redactions;
  run->push(text, true, found);
  for (const Finding& finding : found) {
    filter.add(finding, checked.verdict);
    if (filter.effect(source, finding.label) == ContentFilter::Effect::redact) {
      redactions.add({finding.label.pii, finding.begin, finding.end});
    }
  }
  redactions.append_to(checked.redacted, text, 0, text.size());
  return checked;
}

}  // namespace plinth::governance
