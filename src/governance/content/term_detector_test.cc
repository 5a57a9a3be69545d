#include "governance/content/term_detector.h"

#include <gtest/gtest.h>

#include "governance/content_limits.h"

namespace plinth::governance {
namespace {

std::vector<std::string> find(const std::string& term, const std::string& text,
                              bool whole_word = true) {
  const auto detector =
      make_term_detector({{*normalize_term(term), {}, whole_word, /*holds=*/true}});
  const auto run = (*detector)->start();
  std::vector<Finding> found;
  run->push(text, true, found);
  std::vector<std::string> spans;
  for (const Finding& f : found) spans.push_back(text.substr(f.begin, f.end - f.begin));
  return spans;
}

using Spans = std::vector<std::string>;

TEST(TermDetector, AWordEndsAtWordsBoundaries) {
  EXPECT_EQ(find("kill", "Kill, kill. skill killer kill2 _kill_"), (Spans{"Kill", "kill", "kill"}));
  EXPECT_EQ(find("kill", "skill", false), Spans{"kill"});
  EXPECT_EQ(find("дом", "дом домой (Дом)"), (Spans{"дом", "Дом"}));
}

TEST(TermDetector, ScriptsWithoutSpacesHaveNoBoundaries) {
  EXPECT_EQ(find("自殺", "彼は自殺した"), Spans{"自殺"});
}

TEST(TermDetector, NamesTheSpanOfTheOriginal) {
  EXPECT_EQ(find("ignore all", "please IGNORE\n\n \u200bALL of it"), Spans{"IGNORE\n\n \u200bALL"});
  EXPECT_EQ(find("find", "ﬁnd"), Spans{"ﬁnd"});
}

TEST(TermDetector, SeesThroughLookAlikesButNotThroughWholeWordsOfThem) {
  EXPECT_EQ(find("kill", "k1ll \u043a1ll kіll 🅺🅸🅻🅻"), (Spans{"k1ll", "\u043a1ll", "kіll", "🅺🅸🅻🅻"}));
  EXPECT_EQ(find("sat", "547 a 5a7"), Spans{});
  // Russian for litter, every letter of which looks Latin.
  EXPECT_EQ(find("cop", "сор"), Spans{});
  EXPECT_EQ(find("self-harm", "self harm, self_harm, s3lf-h4rm"),
            (Spans{"self harm", "self_harm", "s3lf-h4rm"}));
}

TEST(TermDetector, ATermWithDigitsIsTakenAsItIs) {
  EXPECT_EQ(find("a55", "a55 ass aSS A55"), (Spans{"a55", "A55"}));
}

TEST(TermDetector, HoldsBackNoMoreThanCouldBecomeATerm) {
  const auto detector = make_term_detector({{*normalize_term("kill yourself"), {}, true, true}});
  const auto run = (*detector)->start();
  std::vector<Finding> found;
  const auto push = [&](std::string_view text) {
    run->push(text, false, found);
    return run->undecided();
  };
  EXPECT_EQ(push("Well, "), 6u);
  EXPECT_EQ(push("k"), 6u);
  EXPECT_EQ(push("ill"), 6u);
  EXPECT_EQ(push("er"), 12u);
  EXPECT_EQ(push(" kill yourself"), 13u);
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(push("!"), 27u);
  EXPECT_EQ(found.size(), 1u);
}

TEST(TermDetector, RefusesTermsThatSayNothingOrTooMuch) {
  EXPECT_FALSE(normalize_term("").ok());
  EXPECT_FALSE(normalize_term(" \u200b\u0301").ok());
  EXPECT_FALSE(normalize_term(std::string(kTermBytesMax + 1, 'a')).ok());
  // 18 characters each.
  std::string long_ones;
  for (int i = 0; i < 100; ++i) long_ones += "\ufdfa";
  EXPECT_FALSE(normalize_term(long_ones).ok());
  EXPECT_TRUE(normalize_term(std::string(kTermBytesMax, 'a')).ok());
}

}  // namespace
}  // namespace plinth::governance
