#include "governance/content/normalizer.h"

#include <gtest/gtest.h>

#include "governance/content/skeleton.h"
#include "governance/content/testing/random_texts.h"
#include "governance/content/utf8.h"
#include "governance/content_limits.h"

namespace plinth::governance {
namespace {

std::string utf8(const std::u32string& text) {
  std::string out;
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

std::string form(std::string_view text) { return utf8(normalized(text)); }

std::string skeleton(std::string_view text) {
  std::string out;
  for (const char32_t c : normalized(text)) append_utf8(out, skeleton_of(c).letter);
  return out;
}

TEST(Normalizer, CaseCompatibilityAccentsAndWhiteSpaceSayNothing) {
  EXPECT_EQ(form("  Straße\t\n\u00a0ÉCOLE "), "strasse ecole");
  EXPECT_EQ(form("e\u0301cole"), form("école"));
  EXPECT_EQ(form("ﬁnd ＡＢＣ Ⓚ① 𝓴𝓲𝓵𝓵"), "find abc k1 kill");
  EXPECT_EQ(form("ΣΑΣ ДОМ ёлка"), "σασ дом елка");
  EXPECT_EQ(form("שָׁלוֹם"), form("שלום"));
  EXPECT_EQ(form("각"), form("\u1100\u1161\u11a8"));
}

TEST(Normalizer, InvisibleCharactersAndControlsAreDropped) {
  EXPECT_EQ(form("k\u200bi\u00adl\u2060l\ufeff"), "kill");
  EXPECT_EQ(form(std::string_view("k\0i\bl\x7fl", 7)), "kill");
  EXPECT_EQ(form("\u200b \u00ad"), "");
}

// Devanagari's vowel signs are marks too, and carry the word.
TEST(Normalizer, MarksThatSpellStay) { EXPECT_NE(form("की"), form("क")); }

TEST(Normalizer, LookAlikesHaveTheLetterAsSkeleton) {
  EXPECT_EQ(skeleton("k1ll"), "kill");
  EXPECT_EQ(skeleton("$3lf_h@rm"), "self harm");
  EXPECT_EQ(skeleton("\u043aіll"), "kill");
  EXPECT_EQ(skeleton("ᴋɪʟʟ 🅺🅸🅻🅻 øł"), "kill kill ol");
  EXPECT_TRUE(skeleton_of(U'1').ambiguous);
  EXPECT_FALSE(skeleton_of(U'ᴋ').ambiguous);
  EXPECT_EQ(skeleton_of(U'漢').letter, U'漢');
}

TEST(Normalizer, EveryCharacterKnowsItsBytes) {
  const std::string text = "a\u200bÉ ﬁ\xff";
  std::vector<NormalChar> chars;
  Normalizer().push(text, true, chars);
  ASSERT_EQ(chars.size(), 6u);
  const std::vector<std::pair<std::size_t, std::size_t>> expected = {{0, 1},  {4, 6},  {6, 7},
                                                                     {7, 10}, {7, 10}, {10, 11}};
  for (std::size_t i = 0; i < chars.size(); ++i) {
    EXPECT_EQ(std::pair(chars[i].begin, chars[i].end), expected[i]) << i;
  }
  EXPECT_EQ(chars[5].code, 0xFFFDu);
}

TEST(Normalizer, IllFormedPartsAreThoseOfUnicodesTable) {
  const std::string bad = "\uFFFD";
  EXPECT_EQ(form("\xc0\xaf"), bad + bad);
  EXPECT_EQ(form("\xe0\x80\x80"), bad + bad + bad);
  EXPECT_EQ(form("\xed\xa0\x80"), bad + bad + bad);
  EXPECT_EQ(form("\xf0\x9f\x98"), bad);
  EXPECT_EQ(form("\xf4\x90\x80\x80"), bad + bad + bad + bad);
  EXPECT_EQ(form("\xe2\x82"), bad);
  EXPECT_EQ(form("\xe2\x82z"), bad + "z");
}

TEST(Normalizer, AGapEndsWhatItInterrupts) {
  EXPECT_EQ(normalized("a" + std::string(kGapBytesMax, ' ') + "b").find(kGap),
            std::u32string::npos);
  EXPECT_NE(normalized("a" + std::string(kGapBytesMax + 2, ' ') + "b").find(kGap),
            std::u32string::npos);
}

TEST(Normalizer, IsTheSameHoweverTheTextIsCut) {
  const auto [first, last] = seeds(300);
  for (auto seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("PLINTH_SEED=" + std::to_string(seed));
    Random random(seed);
    const std::string text = random_text(random);
    std::vector<NormalChar> whole;
    Normalizer().push(text, true, whole);
    std::vector<NormalChar> pieces;
    Normalizer normalizer;
    std::size_t read = 0;
    for (const std::string& piece : random_pieces(text, random)) {
      normalizer.push(piece, false, pieces);
      read += piece.size();
      ASSERT_LE(normalizer.read_bytes(), read);
      ASSERT_GE(normalizer.read_bytes() + 3, read);
    }
    normalizer.push({}, true, pieces);
    ASSERT_EQ(whole.size(), pieces.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      ASSERT_EQ(whole[i].code, pieces[i].code);
      ASSERT_EQ(whole[i].begin, pieces[i].begin);
      ASSERT_EQ(whole[i].end, pieces[i].end);
    }
  }
}

TEST(Utf8, AnIncompleteTailIsWhatCouldBecomeACharacter) {
  EXPECT_EQ(incomplete_tail(""), 0u);
  EXPECT_EQ(incomplete_tail("a"), 0u);
  EXPECT_EQ(incomplete_tail("é"), 0u);
  EXPECT_EQ(incomplete_tail("a\xc3"), 1u);
  EXPECT_EQ(incomplete_tail("\xe2\x82"), 2u);
  EXPECT_EQ(incomplete_tail("\xf0\x9f\x99"), 3u);
  EXPECT_EQ(incomplete_tail("\xed\xa0"), 0u);
  EXPECT_EQ(incomplete_tail("\x80\x80\x80\x80"), 0u);
}

}  // namespace
}  // namespace plinth::governance
