#include "engine/sample/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace plinth::engine {
namespace {

TEST(StopMatcher, HoldsBackWhatCouldBecomeAStop) {
  StopMatcher matcher({"</s>", "END"});
  EXPECT_EQ(matcher.push("a<").text, "a");
  EXPECT_EQ(matcher.push("/x").text, "</x");
  EXPECT_EQ(matcher.push("E").text, "");
  EXPECT_EQ(matcher.push("N").text, "");
  const auto step = matcher.push("D more");
  EXPECT_EQ(step.text, "");
  EXPECT_EQ(step.matched, "END");
}

TEST(StopMatcher, FallsBackToTheBorderOfAnOverlap) {
  StopMatcher matcher({"abab!"});
  EXPECT_EQ(matcher.push("ababa").text, "ab");
  EXPECT_EQ(matcher.push("b!").matched, "abab!");
  StopMatcher repeated({"aab"});
  EXPECT_EQ(repeated.push("aaaa").text, "aa");
  EXPECT_EQ(repeated.push("b").matched, "aab");
}

TEST(StopMatcher, TheFirstToBeCompleteWinsAndOfThoseTheLongest) {
  EXPECT_EQ(StopMatcher({"abcd", "bc"}).push("abcd").matched, "bc");
  const auto step = StopMatcher({"c", "abc"}).push("xabc");
  EXPECT_EQ(step.matched, "abc");
  EXPECT_EQ(step.text, "x");
}

TEST(StopMatcher, FinishGivesBackWhatWasHeldAndEmptyStopsMatchNothing) {
  StopMatcher matcher({"", "stop"});
  EXPECT_EQ(matcher.push("st").text, "");
  EXPECT_EQ(matcher.finish(), "st");
  EXPECT_EQ(StopMatcher({""}).push("text").text, "text");
}

// Any cut of the text into pieces gives the outcome of a naive search over the whole.
TEST(StopMatcher, TheOutcomeDoesNotDependOnHowTheTextIsCut) {
  std::mt19937 random(11);
  const auto word = [&](std::size_t most) {
    std::string text;
    for (auto i = 1 + random() % most; i > 0; --i) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    const std::vector<std::string> stops = {word(6), word(9), word(4), word(12)};
    const std::string text = word(60);
    std::string expected = text, expected_stop;
    for (std::size_t end = 1; end <= text.size() && expected_stop.empty(); ++end) {
      for (const auto& stop : stops) {
        if (stop.size() > expected_stop.size() && text.substr(0, end).ends_with(stop)) {
          expected_stop = stop;
          expected = text.substr(0, end - stop.size());
        }
      }
    }
    StopMatcher matcher(stops);
    std::string out, matched;
    for (std::size_t at = 0; at < text.size() && matched.empty();) {
      const auto piece = text.substr(at, 1 + random() % 5);
      at += piece.size();
      auto step = matcher.push(piece);
      out += step.text;
      matched = step.matched;
    }
    if (matched.empty()) out += matcher.finish();
    ASSERT_EQ(matched, expected_stop) << text;
    ASSERT_EQ(out, expected) << text;
  }
}

// A stop string as long as a body may be must not cost its length at every token.
TEST(StopMatcher, ALongStopCostsNoMoreThanTheText) {
  StopMatcher matcher({std::string(1 << 18, 'a') + "b"});
  std::string out;
  for (int i = 0; i < 1 << 14; ++i) out += matcher.push("aaaaaaaaaaaaaaaaaaaaaaaa").text;
  EXPECT_EQ(out.size() + matcher.finish().size(), std::size_t{24} << 14);
}

}  // namespace
}  // namespace plinth::engine
