#include "governance/content/regex_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/content/testing/random_texts.h"
#include "governance/content_limits.h"

namespace plinth::governance {
namespace {

using ::testing::HasSubstr;

std::string refusal(std::string_view pattern) {
  const auto regex = BoundedRegex::compile(pattern);
  return regex.ok() ? "" : std::string(base::message(regex.status()));
}

// (rule, begin, end); a failure has rule -1.
using Spans = std::vector<std::tuple<int, std::size_t, std::size_t>>;

struct Outcome {
  Spans spans;
  std::string failure;
};

Outcome run(const std::vector<std::string>& patterns, const std::vector<std::string>& pieces) {
  std::vector<RegexRule> rules;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    rules.push_back({*BoundedRegex::compile(patterns[i]),
                     {.kind = FindingKind::blocklist, .blocklist = i},
                     /*holds=*/true});
  }
  const auto detector = make_regex_detector(std::move(rules), true);
  const auto run = detector->start();
  std::vector<Finding> found;
  std::size_t pushed = 0;
  // Whole, as check_text gives it.
  if (pieces.size() == 1) run->push(pieces[0], true, found);
  for (const std::string& piece : pieces.size() == 1 ? std::vector<std::string>() : pieces) {
    const std::size_t undecided = run->undecided();
    const std::size_t known = found.size();
    run->push(piece, false, found);
    pushed += piece.size();
    for (std::size_t i = known; i < found.size(); ++i) EXPECT_GE(found[i].begin, undecided);
    EXPECT_GE(run->undecided(), undecided);
    EXPECT_LE(run->undecided(), pushed);
    EXPECT_LE(pushed - run->undecided(), kHoldBytesMax);
  }
  if (pieces.size() != 1) run->push({}, true, found);
  Outcome outcome;
  for (const Finding& f : found) {
    const bool failed = f.label.kind == FindingKind::failure;
    if (failed) outcome.failure = f.message;
    outcome.spans.emplace_back(failed ? -1 : static_cast<int>(f.label.blocklist), f.begin, f.end);
  }
  std::sort(outcome.spans.begin(), outcome.spans.end());
  return outcome;
}

TEST(BoundedRegex, RefusalsNameThePatternAndTheByte) {
  EXPECT_THAT(refusal("ab(c"), HasSubstr("\"ab(c\": missing closing parenthesis at byte 4"));
  EXPECT_THAT(refusal("é[b-a]"), HasSubstr("at byte 5"));
  EXPECT_THAT(refusal("a\xff"), HasSubstr("no valid UTF-8 at byte 1"));
  EXPECT_THAT(refusal("x(*COMMIT)"), HasSubstr("at byte 1"));
  EXPECT_THAT(refusal("\\Ga"), HasSubstr("\\G is not supported at byte 0"));
  EXPECT_THAT(refusal("a\\Kb"), HasSubstr("\\K"));
  EXPECT_THAT(refusal("(?C1)a"), HasSubstr("callouts"));
  EXPECT_THAT(refusal(std::string(kRegexBytesMax + 1, 'a')), HasSubstr("over"));
  EXPECT_THAT(refusal("(?<=" + std::string(100, 'a') + ")b"), HasSubstr("lookbehind"));
  EXPECT_NE(refusal(""), "");
  EXPECT_EQ(refusal("\\(\\*a\\\\G"), "");
}

TEST(RegexDetector, SeesNormalisedTextAndNamesTheOriginal) {
  EXPECT_EQ(run({"project falcon"}, {"The PROJECT\n\n  F\u00adalcon!"}).spans, (Spans{{0, 4, 23}}));
  EXPECT_EQ(run({"école"}, {"École"}).spans, (Spans{{0, 0, 6}}));
  EXPECT_EQ(run({"[A-Z]{2}-\\d+\\b"}, {"zz-12345, q"}).spans, (Spans{{0, 0, 8}}));
}

TEST(RegexDetector, MatchesAreLeftToRightAndNeverEmpty) {
  EXPECT_EQ(run({"a*"}, {"baab a"}).spans, (Spans{{0, 1, 3}, {0, 5, 6}}));
  EXPECT_EQ(run({"foo|foobar"}, {"foobar"}).spans, (Spans{{0, 0, 3}}));
  EXPECT_EQ(run({"^b.*$"}, {"bcd"}).spans, (Spans{{0, 0, 3}}));
  EXPECT_EQ(run({"^b"}, {"ab"}).spans, Spans{});
  EXPECT_EQ(run({"(?<=a)b"}, {"b", "a", "b"}).spans, (Spans{{0, 2, 3}}));
}

TEST(RegexDetector, AMatchSpansAWindowAtMost) {
  const std::string fits(kRegexWindowBytes - 2, '.');
  EXPECT_EQ(run({"a.*b"}, {"a" + fits + "b"}).spans.size(), 1u);
  EXPECT_EQ(run({"a.*b"}, {"a" + fits + ".b"}).spans.size(), 0u);
  EXPECT_EQ(run({".*b"}, {fits + fits + "b"}).spans.size(), 1u);
  // A text that ends with the window has ended too late for $.
  EXPECT_EQ(run({"a.*$"}, {"a" + fits}).spans.size(), 1u);
  EXPECT_EQ(run({"a.*$"}, {"a" + fits + "."}).spans.size(), 0u);
  EXPECT_EQ(run({"a.*$"}, {"a" + fits + ".", ""}).spans.size(), 0u);
}

TEST(RegexDetector, ForgetsALongTextButForWhatIsUndecided) {
  for (const std::size_t before : {39u, 100u}) {
    std::vector<std::string> pieces(before, std::string(100, '.'));
    pieces.push_back("ca");
    pieces.insert(pieces.end(), 9, std::string(100, '.'));
    pieces.push_back("b");
    const std::size_t begin = before * 100 + 1;
    EXPECT_EQ(run({"(?<=c)a.*b", "zzz", "(?<=^.{64})c"}, pieces).spans,
              (Spans{{0, begin, begin + 902}}));
  }
}

TEST(RegexDetector, ACatastrophicPatternFailsWithinItsBound) {
  const Outcome whole = run({"(a+)+b", "zz"}, {"x" + std::string(60, 'a') + "c zz"});
  EXPECT_EQ(whole.spans, (Spans{{-1, 1, 2}, {1, 63, 65}}));
  EXPECT_THAT(whole.failure, HasSubstr("regex \"(a+)+b\""));
  // Recursion without end.
  EXPECT_NE(run({"a(?R)?(?R)?(?R)?b"}, {std::string(60, 'a') + "c"}).failure, "");
}

TEST(RegexDetector, FindsTheSameHoweverTheTextIsCut) {
  const std::vector<std::vector<std::string>> rules = {
      {"\\bfoo\\b", "a.*b", "(?<=o)b+$", "^a"},
      {"(a+)+b", "[^ ]+@[a-z]+\\.com", "kill.{0,20}self"},
      {"\\w+\\s+\\w+", "a{3,}b?", "(?!a)b"},
      {".*secret", "(a|ab)(c|bcd)*$", "\\bbar$"},
      {"(\\w+)\\s\\1", "a++b", "(?i)zz-\\d{3,}(?!\\d)"}};
  const auto [first, last] = seeds(200);
  for (auto seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("PLINTH_SEED=" + std::to_string(seed));
    Random random(seed);
    const std::string text = random_text(random);
    const auto& patterns = rules[pick(random, rules.size())];
    const Spans whole = run(patterns, {text}).spans;
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(run(patterns, random_pieces(text, random)).spans, whole);
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace plinth::governance
