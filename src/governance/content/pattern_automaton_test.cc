#include "governance/content/pattern_automaton.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "governance/content/testing/random_texts.h"
#include "governance/content_limits.h"

namespace plinth::governance {
namespace {

using Match = std::tuple<std::size_t, std::size_t, std::uint32_t>;  // end, chars, id

std::u32string random_word(Random& random, std::size_t letters, std::size_t chars_max) {
  std::u32string word;
  for (std::size_t n = 1 + pick(random, chars_max); n > 0; --n) {
    const std::size_t letter = pick(random, letters);
    word += letter == 2 ? U'字' : static_cast<char32_t>(U'a' + letter);
  }
  return word;
}

TEST(PatternAutomaton, FindsOverlappingAndNestedPatterns) {
  const auto automaton =
      PatternAutomaton::build({{U"she", 0}, {U"he", 1}, {U"hers", 2}, {U"his", 3}, {U"he", 4}});
  ASSERT_TRUE(automaton.ok());
  std::multiset<Match> found;
  auto state = PatternAutomaton::kStart;
  const std::u32string text = U"ushers";
  for (std::size_t i = 0; i < text.size(); ++i) {
    state = automaton->step(state, text[i]);
    automaton->for_each_match(
        state, [&](std::uint32_t id, std::size_t chars) { found.emplace(i + 1, chars, id); });
  }
  EXPECT_EQ(found, (std::multiset<Match>{{4, 3, 0}, {4, 2, 1}, {4, 2, 4}, {6, 4, 2}}));
}

TEST(PatternAutomaton, WithoutPatternsItStaysAtItsStart) {
  const auto automaton = PatternAutomaton::build({});
  ASSERT_TRUE(automaton.ok());
  EXPECT_TRUE(automaton->empty());
  EXPECT_EQ(automaton->step(PatternAutomaton::kStart, U'a'), PatternAutomaton::kStart);
  EXPECT_EQ(automaton->step(PatternAutomaton::kStart, U'字'), PatternAutomaton::kStart);
}

TEST(PatternAutomaton, AgreesWithANaiveSearchOverRandomPatterns) {
  const auto [first, last] = seeds(400);
  for (auto seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("PLINTH_SEED=" + std::to_string(seed));
    Random random(seed);
    const std::size_t letters = 2 + pick(random, 3);
    std::vector<PatternAutomaton::Pattern> patterns;
    for (std::uint32_t id = 0; id < 1 + pick(random, 12); ++id) {
      patterns.push_back({random_word(random, letters, 6), id, pick(random, 2) == 0});
    }
    const auto automaton = PatternAutomaton::build(patterns);
    ASSERT_TRUE(automaton.ok());
    const std::u32string text = random_word(random, letters, 60);
    auto state = PatternAutomaton::kStart;
    for (std::size_t end = 1; end <= text.size(); ++end) {
      state = automaton->step(state, text[end - 1]);
      std::multiset<Match> found;
      automaton->for_each_match(
          state, [&](std::uint32_t id, std::size_t chars) { found.emplace(end, chars, id); });
      std::multiset<Match> expected;
      std::size_t held = 0;
      const std::u32string_view read = std::u32string_view(text).substr(0, end);
      for (const auto& pattern : patterns) {
        if (read.ends_with(pattern.text)) expected.emplace(end, pattern.text.size(), pattern.id);
        for (std::size_t n = 1; pattern.holds && n < pattern.text.size(); ++n) {
          if (read.ends_with(std::u32string_view(pattern.text).substr(0, n)))
            held = std::max(held, n);
        }
      }
      ASSERT_EQ(found, expected);
      ASSERT_EQ(automaton->held_chars(state), held);
    }
  }
}

TEST(PatternAutomaton, RefusesPatternsOverItsBound) {
  std::vector<PatternAutomaton::Pattern> patterns(kTermCharsTotalMax / kTermCharsMax + 1,
                                                  {std::u32string(kTermCharsMax, U'x'), 0});
  const auto automaton = PatternAutomaton::build(std::move(patterns));
  EXPECT_EQ(automaton.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace plinth::governance
