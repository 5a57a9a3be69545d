#include "governance/content_stream.h"

#include <gtest/gtest.h>

#include "governance/content/testing/random_texts.h"
#include "governance/content/testing/sendable.h"
#include "governance/content/utf8.h"
#include "governance/content_limits.h"

namespace plinth::governance {
namespace {

constexpr auto kCompletion = ContentSource::completion;

std::shared_ptr<const ContentFilter> compile(const ContentPolicy& policy,
                                             const std::vector<Blocklist>& lists = {}) {
  const auto filter = ContentFilter::compile(policy, lists);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return *filter;
}

ContentPolicy redacting() {
  ContentPolicy policy = off_content_policy();
  policy.completion.pii = PiiAction::redact;
  return policy;
}

// Some of everything.
std::shared_ptr<const ContentFilter> random_filter(Random& random) {
  ContentPolicy policy = pick(random, 2) == 0 ? default_content_policy() : off_content_policy();
  policy.completion.pii = static_cast<PiiAction>(pick(random, 4));
  policy.completion.fail_open = pick(random, 2) == 0;
  const std::vector<Blocklist> lists = {
      {"words", {{"project falcon"}, {"ab", false, false}, {"aab", false, false}, {"漢字"}}},
      {"rules", {{"secret .{0,40}falcon", true}, {"a{4,}b", true}, {"foo(?! bar)", true}}},
      {"bombs", {{"(a+)+[bc]", true}}}};
  for (const Blocklist& list : lists) {
    if (pick(random, 2) == 0) continue;
    policy.blocklists.push_back({list.name, kCompletion, pick(random, 4) > 0});
  }
  return compile(policy, lists);
}

bool well_formed(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char next = first_utf8(text);
    if (next.read != Utf8Read::valid) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

TEST(ContentStream, NeverSendsAByteOfABlockedSpan) {
  ContentStream stream(compile(default_content_policy()));
  EXPECT_EQ(stream.push("You could just k1"), "You could just ");
  EXPECT_EQ(stream.push("ll your"), "");
  EXPECT_EQ(stream.push("self"), "");
  EXPECT_FALSE(stream.blocked());
  EXPECT_EQ(stream.push(", he said"), "");
  EXPECT_TRUE(stream.blocked());
  EXPECT_EQ(stream.push("more"), "");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_TRUE(stream.verdict().categories[index_of(ContentCategory::self_harm)].filtered);
  EXPECT_EQ(stream.verdict().block_begin, 15u);
}

TEST(ContentStream, WhatTurnsOutHarmlessIsSent) {
  ContentStream stream(compile(default_content_policy()));
  EXPECT_EQ(stream.push("Don't kill your"), "Don't ");
  EXPECT_EQ(stream.push(" kitty"), "kill your kitty");
  EXPECT_EQ(stream.push(". kill yourself"), ". ");
  EXPECT_EQ(stream.push("elf"), "kill yourselfelf");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_FALSE(stream.blocked());
}

TEST(ContentStream, TheEndOfTheTextDecides) {
  ContentStream stream(compile(default_content_policy()));
  EXPECT_EQ(stream.push("kill yourself"), "");
  EXPECT_FALSE(stream.blocked());
  EXPECT_EQ(stream.finish(), "");
  EXPECT_TRUE(stream.blocked());
}

// "aab" is found before it is known whether the term around it is complete.
TEST(ContentStream, ABlockWaitsForWhatBeginsBeforeIt) {
  ContentPolicy policy = off_content_policy();
  policy.blocklists = {{"l", kCompletion}};
  const auto filter = compile(policy, {{"l", {{"aab", false, false}, {"xaabz", false, false}}}});
  for (const std::string end : {"z", "y"}) {
    ContentStream pieces(filter);
    std::string sent = pieces.push("-xaab");
    EXPECT_FALSE(pieces.blocked());
    sent += pieces.push(end);
    EXPECT_TRUE(pieces.blocked());
    EXPECT_EQ(sent, end == "z" ? "-" : "-x");
  }
}

TEST(ContentStream, RedactsAcrossPieces) {
  ContentStream stream(compile(redacting()));
  EXPECT_EQ(stream.push("Mail bob@exam"), "Mail ");
  EXPECT_EQ(stream.push("ple.com"), "");
  EXPECT_EQ(stream.push(" or 4111 1111 "), "[EMAIL] or ");
  EXPECT_EQ(stream.push("1111 1111. Bye"), "[CREDIT_CARD]. ");
  EXPECT_EQ(stream.finish(), "Bye");
  EXPECT_TRUE(stream.verdict().pii_redacted);
  EXPECT_EQ(stream.verdict().pii_spans.size(), 2u);
}

TEST(ContentStream, SendsWholeCharacters) {
  ContentStream stream(compile(redacting()));
  EXPECT_EQ(stream.push("é\xf0\x9f"), "é");
  EXPECT_EQ(stream.push("\x99"), "");
  EXPECT_EQ(stream.push("\x82 \xe2"), "🙂 ");
  EXPECT_EQ(stream.finish(), "\xe2");
}

TEST(ContentStream, WithoutDetectorsItHoldsNothingBack) {
  ContentStream stream(compile(off_content_policy()));
  std::string text(100, 'k');
  text += "\xf0";
  const char* data = text.data();
  const std::string sent = stream.push(std::move(text));
  EXPECT_EQ(sent.data(), data);
  EXPECT_EQ(stream.held_bytes(), 0u);
  EXPECT_EQ(stream.finish(), "");
}

TEST(ContentStream, WhatDoesNotBlockIsNotHeldBack) {
  ContentPolicy policy = default_content_policy();
  for (CategoryRule& rule : policy.completion.categories) rule.blocking = false;
  policy.completion.pii = PiiAction::detect;
  policy.completion.fail_open = true;
  ContentStream stream(compile(policy));
  EXPECT_EQ(stream.push("kill yoursel"), "kill yoursel");
  EXPECT_EQ(stream.push("f, bob@example.com"), "f, bob@example.com");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_FALSE(stream.blocked());
  EXPECT_EQ(stream.verdict().categories[index_of(ContentCategory::self_harm)].severity,
            Severity::high);
  EXPECT_TRUE(stream.verdict().pii.detected);
}

TEST(ContentStream, TheAsynchronousFilterBlocksLateAndRedactsInTime) {
  ContentPolicy policy = default_content_policy();
  policy.mode = ContentMode::asynchronous_filter;
  policy.completion.pii = PiiAction::redact;
  ContentStream stream(compile(policy));
  EXPECT_EQ(stream.push("kill your "), "kill your ");
  EXPECT_EQ(stream.push("self? bob@example.com kill "), "self? [EMAIL] kill ");
  EXPECT_EQ(stream.push("yourself"), "");  // could be an address
  EXPECT_EQ(stream.push(" "), "");
  EXPECT_TRUE(stream.blocked());
}

TEST(ContentStream, ProseWaitsForAWordOrTwo) {
  ContentPolicy policy = default_content_policy();
  policy.completion.pii = PiiAction::redact;
  ContentStream stream(compile(policy));
  const std::string prose =
      "The committee met on Tuesday to discuss the budget, how to spend it, and what the school "
      "would need; all of the members of the board were there, and 12 of them spoke. ";
  for (const char c : prose + prose) {
    stream.push(std::string(1, c));
    EXPECT_LE(stream.held_bytes(), 16u);
  }
}

TEST(ContentStream, SendsTheSameHoweverTheTextIsCut) {
  const auto [first, last] = seeds(300);
  int blocked = 0;
  for (auto seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("PLINTH_SEED=" + std::to_string(seed));
    Random random(seed);
    const auto filter = random_filter(random);
    const std::string text = random_text(random);
    const std::string expected = sendable(*filter, text);
    const auto whole = check_text(*filter, kCompletion, text).verdict;
    for (int i = 0; i < 3; ++i) {
      ContentStream stream(filter);
      std::string sent;
      for (const std::string& piece : random_pieces(text, random)) {
        sent += stream.push(piece);
        ASSERT_LE(stream.held_bytes(), kHoldBytesMax);
        ASSERT_TRUE(expected.starts_with(sent));
        if (filter->active(kCompletion) && well_formed(text)) {
          ASSERT_TRUE(well_formed(sent));
        }
      }
      sent += stream.finish();
      ASSERT_EQ(sent, expected);
      ASSERT_EQ(stream.blocked(), whole.blocked);
      if (whole.blocked) {
        ASSERT_EQ(stream.verdict().block_begin, whole.block_begin);
      }
    }
    blocked += whole.blocked ? 1 : 0;
  }
  if (first != last) {
    EXPECT_GT(blocked, 50);
    EXPECT_LT(blocked, 250);
  }
}

// A term with the widest gaps everywhere.
TEST(ContentStream, HoldsBackNoMoreThanItsBound) {
  ContentPolicy policy = off_content_policy();
  policy.blocklists = {{"l", kCompletion}};
  const auto filter = compile(policy, {{"l", {{std::string(kTermBytesMax, 'z')}, {"y.*x", true}}}});
  for (const std::string letter : {"z", "y"}) {
    ContentStream stream(filter);
    std::size_t most = 0;
    for (std::size_t i = 0; i < 2 * kRegexWindowBytes; ++i) {
      stream.push(letter + std::string(kGapBytesMax - 1, '\x01'));
      most = std::max(most, stream.held_bytes());
      ASSERT_LE(most, kHoldBytesMax);
    }
    EXPECT_GT(most, kTermBytesMax * kGapBytesMax / 2);
  }
}

}  // namespace
}  // namespace plinth::governance
