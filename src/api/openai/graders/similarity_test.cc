#include "api/openai/graders/similarity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace plinth::api {
namespace {

// As it is taught: quadratic, by a table.
std::size_t common_by_table(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (const char c : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto above = row[j];
      row[j] = c == b[j - 1] ? diagonal + 1 : std::max(row[j], row[j - 1]);
      diagonal = above;
    }
  }
  return row.back();
}

TEST(Similarity, FuzzyMatchIsTheTablesSubsequence) {
  std::mt19937 random(7);  // NOLINT: the same each time
  for (int i = 0; i < 200; ++i) {
    std::string a(random() % 200, ' '), b(random() % 200, ' ');
    for (auto* text : {&a, &b})
      for (auto& c : *text) c = static_cast<char>('a' + random() % 4);
    const double whole = static_cast<double>(a.size() + b.size());
    const double expected = whole == 0 ? 1 : 2 * static_cast<double>(common_by_table(a, b)) / whole;
    ASSERT_DOUBLE_EQ(fuzzy_match(a, b), expected) << a << "\n" << b;
  }
}

TEST(Similarity, CharactersAreNotBytes) {
  EXPECT_DOUBLE_EQ(fuzzy_match("é", "è"), 0) << "their first bytes are equal";
  EXPECT_DOUBLE_EQ(fuzzy_match("né", "nè"), 0.5);
  EXPECT_DOUBLE_EQ(fuzzy_match("日本語", "日本"), 0.8);
}

// The sentences of the papers, counted by hand.
TEST(Similarity, MetricsAreThoseOfTheirPapers) {
  const std::string reference = "the cat sat on the mat";
  const std::string text = "the cat was on the mat";
  EXPECT_DOUBLE_EQ(rouge(1, text, reference), 5.0 / 6);
  EXPECT_DOUBLE_EQ(rouge(2, text, reference), 3.0 / 5);
  EXPECT_DOUBLE_EQ(rouge(3, text, reference), 1.0 / 4);
  EXPECT_DOUBLE_EQ(rouge_l(text, reference), 5.0 / 6);
  // 5 + 3 + 1 + 0 runs of 6 + 5 + 4 + 3.
  EXPECT_DOUBLE_EQ(gleu(text, reference), 9.0 / 18);
  EXPECT_NEAR(bleu(text, reference), std::pow(5.0 / 6 * 4.0 / 6 * 2.0 / 5 * 1.0 / 4, 0.25), 1e-12);
  // Five matches in two chunks.
  EXPECT_NEAR(meteor(text, reference), 5.0 / 6 * (1 - 0.5 * std::pow(2.0 / 5, 3)), 1e-12);
}

TEST(Similarity, ShortTextsPayForIt) {
  EXPECT_NEAR(bleu("the cat", "the cat sat on"),
              std::exp(1 - 2.0) * std::pow(1.0 * 1.0 * 1.0 * 1.0, 0.25), 1e-12);
  EXPECT_DOUBLE_EQ(rouge(1, "cat", "the cat sat"), 0.5);
  EXPECT_DOUBLE_EQ(rouge_l("The CAT!", "the cat"), 1) << "neither case nor signs";
  EXPECT_LT(bleu("The cat!", "the cat"), 1) << "signs";
}

TEST(Similarity, EqualTextsAreOneAndStrangersZero) {
  using Metric = double (*)(std::string_view, std::string_view);
  const Metric metrics[] = {fuzzy_match, bleu, gleu, rouge_l,
                            [](std::string_view a, std::string_view b) { return rouge(5, a, b); }};
  for (const auto metric : metrics) {
    EXPECT_DOUBLE_EQ(metric("a b c d e f", "a b c d e f"), 1);
    EXPECT_DOUBLE_EQ(metric("abc", "xyz"), 0);
    EXPECT_DOUBLE_EQ(metric("", ""), 1);
    EXPECT_DOUBLE_EQ(metric("", "abc"), 0);
    EXPECT_DOUBLE_EQ(metric("abc", ""), 0);
  }
  EXPECT_DOUBLE_EQ(meteor("", ""), 1);
  EXPECT_DOUBLE_EQ(meteor("abc", "xyz"), 0);
  EXPECT_DOUBLE_EQ(meteor("a", "a"), 0.5) << "a single word is a chunk of one";
}

}  // namespace
}  // namespace plinth::api
