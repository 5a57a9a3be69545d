#include "governance/content/term_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "governance/content/normalizer.h"
#include "governance/content/pattern_automaton.h"
#include "governance/content/skeleton.h"
#include "governance/content_limits.h"

namespace plinth::governance {

namespace {

struct TermSet {
  std::vector<Term> terms;     // a pattern's id is its index here
  PatternAutomaton exact;      // over NormalChar::code
  PatternAutomaton skeletons;  // over NormalChar::skeleton
};

// Bytes that are normalised at a time: bounds the memory for a long text.
constexpr std::size_t kSliceBytes = 4096;
// The window keeps what a match may span and the character before it.
constexpr std::size_t kWindowChars = kTermCharsMax + 1;

class TermRun : public DetectorRun {
 public:
  explicit TermRun(std::shared_ptr<const TermSet> set) : set_(std::move(set)) {}

  void push(std::string_view text, bool last, std::vector<Finding>& found) override {
    do {
      const std::string_view slice = text.substr(0, kSliceBytes);
      text.remove_prefix(slice.size());
      fresh_.clear();
      normalizer_.push(slice, last && text.empty(), fresh_);
      for (const NormalChar& c : fresh_) add(c, found);
    } while (!text.empty());
    if (last) settle(false, found);
  }

  std::size_t undecided() const override {
    std::size_t first = normalizer_.read_bytes();
    const auto hold = [&](std::size_t chars) {
      if (chars > 0) first = std::min(first, window_[window_.size() - chars].begin);
    };
    hold(set_->exact.held_chars(exact_state_));
    hold(set_->skeletons.held_chars(skeleton_state_));
    for (const Pending& pending : pending_) {
      if (set_->terms[pending.term].holds) first = std::min(first, pending.begin);
    }
    return first;
  }

 private:
  // A whole word so far: the next character decides.
  struct Pending {
    std::uint32_t term = 0;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void add(const NormalChar& c, std::vector<Finding>& found) {
    settle(c.word, found);
    if (window_.size() >= 4 * kWindowChars) {
      window_.erase(window_.begin(), window_.end() - kWindowChars);
    }
    window_.push_back(c);
    exact_state_ = set_->exact.step(exact_state_, c.code);
    set_->exact.for_each_match(
        exact_state_, [&](std::uint32_t term, std::size_t chars) { matched(term, chars, found); });
    skeleton_state_ = set_->skeletons.step(skeleton_state_, c.skeleton);
    set_->skeletons.for_each_match(skeleton_state_, [&](std::uint32_t term, std::size_t chars) {
      const auto ambiguous =
          std::count_if(window_.end() - static_cast<std::ptrdiff_t>(chars), window_.end(),
                        [](const auto& w) { return w.ambiguous; });
      if (2 * static_cast<std::size_t>(ambiguous) <= chars) matched(term, chars, found);
    });
  }

  void matched(std::uint32_t term, std::size_t chars, std::vector<Finding>& found) {
    const std::size_t first = window_.size() - chars;
    const Pending match{term, window_[first].begin, window_.back().end};
    if (!set_->terms[term].whole_word) return report(match, found);
    if (first > 0 && window_[first - 1].word && window_[first].word) return;
    if (window_.back().word) {
      pending_.push_back(match);
    } else {
      report(match, found);
    }
  }

  void settle(bool word_goes_on, std::vector<Finding>& found) {
    if (!word_goes_on) {
      for (const Pending& pending : pending_) report(pending, found);
    }
    pending_.clear();
  }

  void report(const Pending& match, std::vector<Finding>& found) const {
    found.push_back({set_->terms[match.term].label, match.begin, match.end, {}});
  }

  const std::shared_ptr<const TermSet> set_;
  Normalizer normalizer_;
  std::vector<NormalChar> fresh_;
  std::vector<NormalChar> window_;
  std::vector<Pending> pending_;
  PatternAutomaton::State exact_state_ = PatternAutomaton::kStart;
  PatternAutomaton::State skeleton_state_ = PatternAutomaton::kStart;
};

class TermDetector : public ContentDetector {
 public:
  explicit TermDetector(std::shared_ptr<const TermSet> set) : set_(std::move(set)) {}
  std::unique_ptr<DetectorRun> start() const override { return std::make_unique<TermRun>(set_); }

 private:
  const std::shared_ptr<const TermSet> set_;
};

// The text by skeletons, or nothing where the term has characters that disguise others.
std::u32string skeleton_text(const std::u32string& text) {
  std::u32string out;
  for (const char32_t c : text) {
    const Skeleton skeleton = skeleton_of(c);
    if (c >= 0x80 || skeleton.ambiguous) return {};
    out += skeleton.letter;
  }
  return out;
}

}  // namespace

absl::StatusOr<std::u32string> normalize_term(std::string_view text) {
  if (text.size() > kTermBytesMax) {
    return base::invalid_argument(
        fmt::format("term of {} bytes is over the limit of {}", text.size(), kTermBytesMax));
  }
  std::u32string out = normalized(text);
  if (out.empty()) return base::invalid_argument("term has no visible character");
  if (out.size() > kTermCharsMax || out.find(kGap) != std::u32string::npos) {
    return base::invalid_argument("term is too long once it is normalised");
  }
  return out;
}

absl::StatusOr<std::shared_ptr<const ContentDetector>> make_term_detector(std::vector<Term> terms) {
  std::vector<PatternAutomaton::Pattern> exact;
  std::vector<PatternAutomaton::Pattern> skeletons;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    std::u32string skeleton = skeleton_text(terms[i].text);
    auto& patterns = skeleton.empty() ? exact : skeletons;
    patterns.push_back({skeleton.empty() ? terms[i].text : std::move(skeleton),
                        static_cast<std::uint32_t>(i), terms[i].holds});
  }
  auto set = std::make_shared<TermSet>();
  ASSIGN_OR_RETURN(set->exact, PatternAutomaton::build(std::move(exact)));
  ASSIGN_OR_RETURN(set->skeletons, PatternAutomaton::build(std::move(skeletons)));
  set->terms = std::move(terms);
  return std::make_shared<TermDetector>(std::move(set));
}

}  // namespace plinth::governance
