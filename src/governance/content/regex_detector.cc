#include "governance/content/regex_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "governance/content/normalizer.h"
#include "governance/content/utf8.h"
#include "governance/content_limits.h"

namespace plinth::governance {

namespace {

using Outcome = RegexResult::Outcome;

struct RuleSet {
  std::vector<RegexRule> rules;
  bool failure_holds = false;
};

constexpr std::size_t kSliceBytes = 4096;
// One character more than lookbehind sees, so that no ^ is true where the text was cut off.
constexpr std::size_t kLookbehindBytes = 4 * (kRegexLookbehindMax + 1);

class RegexRun : public DetectorRun {
 public:
  explicit RegexRun(std::shared_ptr<const RuleSet> set)
      : set_(std::move(set)), searches_(set_->rules.size()) {}

  void push(std::string_view text, bool last, std::vector<Finding>& found) override {
    do {
      const std::string_view slice = text.substr(0, kSliceBytes);
      text.remove_prefix(slice.size());
      const bool ends = last && text.empty();
      append(slice, ends);
      for (std::size_t i = 0; i < searches_.size(); ++i) {
        while (!searches_[i].failed && advance(i, ends, found)) {
        }
      }
      forget();
    } while (!text.empty());
  }

  std::size_t undecided() const override {
    std::size_t first = normalizer_.read_bytes();
    for (std::size_t i = 0; i < searches_.size(); ++i) {
      const Search& search = searches_[i];
      if (search.failed || search.from == text_.size()) continue;
      if (set_->rules[i].holds || set_->failure_holds) {
        first = std::min(first, origins_[search.from].begin);
      }
    }
    return first;
  }

 private:
  // Bytes of the original text.
  struct Origin {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  struct Search {
    std::size_t from = 0;  // byte of text_ at which nothing that begins earlier is undecided
    bool failed = false;
  };

  void append(std::string_view slice, bool ends) {
    fresh_.clear();
    normalizer_.push(slice, ends, fresh_);
    for (const NormalChar& c : fresh_) {
      append_utf8(text_, c.code);
      origins_.resize(text_.size(), {c.begin, c.end});
    }
  }

  // The end of the longest match from there: text_'s or that of the window, at a character.
  std::size_t window_end(std::size_t from) const {
    if (from + kRegexWindowBytes >= text_.size()) return text_.size();
    std::size_t end = from + kRegexWindowBytes;
    while ((static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) --end;
    return end;
  }

  // One search; whether another one may follow. What it decides at a place depends on the window
  // that begins there and on nothing else, so that it is the same however the text was cut.
  bool advance(std::size_t rule, bool ends, std::vector<Finding>& found) {
    Search& search = searches_[rule];
    const BoundedRegex& regex = set_->rules[rule].regex;
    if (search.from == text_.size()) return false;
    const std::size_t end = window_end(search.from);
    const bool whole_window = search.from + kRegexWindowBytes <= text_.size();
    const BoundedRegex::Subject subject{std::string_view(text_).substr(0, end),
                                        ends && !whole_window};
    RegexResult result = regex.search(subject, search.from, scratch_);
    if (result.outcome == Outcome::partial) {
      if (result.begin > search.from) {
        search.from = result.begin;
        return end < text_.size() || ends;
      }
      if (!whole_window && !ends) return false;
      result = regex.match_at(subject, search.from, scratch_);
      if (result.outcome == Outcome::none) {
        search.from += first_utf8(subject.text.substr(search.from)).bytes;
        return true;
      }
    }
    if (result.outcome == Outcome::none) {
      search.from = end;
      return end < text_.size();
    }
    if (result.outcome == Outcome::failed) {
      fail(rule, result.begin, found);
      return false;
    }
    found.push_back(
        {set_->rules[rule].label, origins_[result.begin].begin, origins_[result.end - 1].end, {}});
    search.from = result.end;
    return true;
  }

  void fail(std::size_t rule, std::size_t at, std::vector<Finding>& found) {
    searches_[rule].failed = true;
    const Origin where = at < origins_.size() ? origins_[at] : Origin{normalizer_.read_bytes(), 0};
    found.push_back({{.kind = FindingKind::failure},
                     where.begin,
                     std::max(where.begin, where.end),
                     fmt::format("regex \"{}\" takes over {} steps at byte {}",
                                 set_->rules[rule].regex.pattern(), kRegexStepsMax, where.begin)});
  }

  // Drops what no search needs any more.
  void forget() {
    std::size_t needed = text_.size();
    for (const Search& search : searches_) {
      if (!search.failed) needed = std::min(needed, search.from);
    }
    if (needed < kLookbehindBytes + kSliceBytes) return;
    std::size_t cut = needed - kLookbehindBytes;
    while ((static_cast<unsigned char>(text_[cut]) & 0xC0) == 0x80) --cut;
    text_.erase(0, cut);
    origins_.erase(origins_.begin(), origins_.begin() + static_cast<std::ptrdiff_t>(cut));
    for (Search& search : searches_) search.from -= std::min(search.from, cut);
  }

  const std::shared_ptr<const RuleSet> set_;
  Normalizer normalizer_;
  std::vector<NormalChar> fresh_;
  std::string text_;             // normalised, from what is still needed on
  std::vector<Origin> origins_;  // [text_.size()]
  std::vector<Search> searches_;
  RegexScratch scratch_;
};

class RegexDetector : public ContentDetector {
 public:
  explicit RegexDetector(std::shared_ptr<const RuleSet> set) : set_(std::move(set)) {}
  std::unique_ptr<DetectorRun> start() const override { return std::make_unique<RegexRun>(set_); }

 private:
  const std::shared_ptr<const RuleSet> set_;
};

}  // namespace

std::shared_ptr<const ContentDetector> make_regex_detector(std::vector<RegexRule> rules,
                                                           bool failure_holds) {
  return std::make_shared<RegexDetector>(
      std::make_shared<RuleSet>(RuleSet{std::move(rules), failure_holds}));
}

}  // namespace plinth::governance
