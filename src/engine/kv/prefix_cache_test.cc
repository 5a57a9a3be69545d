#include "engine/kv/prefix_cache.h"

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

using Tokens = std::vector<std::int32_t>;
using Blocks = std::vector<BlockId>;

// `pages` pages of tokens; equal salts give equal tokens.
Tokens pages_of(int pages, int salt) {
  Tokens tokens;
  for (int i = 0; i < pages * kBlockTokens; ++i) tokens.push_back(salt * 1000 + i);
  return tokens;
}

Tokens operator+(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class PrefixCacheTest : public ::testing::Test {
 protected:
  explicit PrefixCacheTest(int blocks = 8) : cache_(blocks, {true, 7}) {}

  // Computes `tokens`, beginning with what the cache has, and leaves the pages published and held.
  Blocks compute(const Tokens& tokens, const CacheScope& scope = {"a", ""}) {
    auto blocks = cache_.match(scope, tokens, static_cast<int>(tokens.size()));
    const auto first = blocks.size();
    while (blocks.size() * kBlockTokens < tokens.size()) {
      const auto block = cache_.take();
      EXPECT_TRUE(block.has_value());
      blocks.push_back(*block);
    }
    cache_.publish(scope, tokens, blocks, first);
    return blocks;
  }
  int cached_tokens(const Tokens& tokens, const CacheScope& scope = {"a", ""}) {
    const auto blocks = cache_.match(scope, tokens, static_cast<int>(tokens.size()));
    cache_.release(blocks);
    return static_cast<int>(blocks.size()) * kBlockTokens;
  }
  PrefixCache cache_;
};

TEST_F(PrefixCacheTest, FindsTheLongestPrefixOfFullPages) {
  const auto first = pages_of(2, 1);
  const auto held = compute(first);
  EXPECT_EQ(cache_.match({"a", ""}, first + pages_of(1, 2), 48), held);
  EXPECT_EQ(cache_.pool().references(held[0]), 3);
  auto other_end = first;
  other_end.back() = -1;
  EXPECT_EQ(cached_tokens(other_end), 16);
  auto other_start = first;
  other_start[0] = -1;
  EXPECT_EQ(cached_tokens(other_start), 0) << "a page stands for all that came before it";
}

TEST_F(PrefixCacheTest, ABoundInsideAPageLeavesThatPageOut) {
  const auto tokens = pages_of(2, 1);
  cache_.release(compute(tokens));
  EXPECT_EQ(cache_.match({"a", ""}, tokens, 31).size(), 1u);
  EXPECT_EQ(cache_.match({"a", ""}, tokens, 15).size(), 0u);
  EXPECT_EQ(cache_.match({"a", ""}, tokens, 0).size(), 0u);
}

// Promise 4.
TEST_F(PrefixCacheTest, NothingIsSharedBetweenSaltsOrAdapters) {
  const auto tokens = pages_of(2, 1);
  compute(tokens, {"a", ""});
  EXPECT_EQ(cached_tokens(tokens, {"b", ""}), 0);
  EXPECT_EQ(cached_tokens(tokens, {"a", "lora"}), 0);
  EXPECT_EQ(cached_tokens(tokens, {"", ""}), 0);
  EXPECT_EQ(cached_tokens(tokens, {"a", ""}), 32);
}

TEST_F(PrefixCacheTest, TwinsOfOneContentBecomeOnePage) {
  const auto tokens = pages_of(2, 1);
  const auto first = compute(tokens);
  Blocks second = {*cache_.take(), *cache_.take()};
  const auto own = second;
  cache_.publish({"a", ""}, tokens, second, 0);
  EXPECT_EQ(second, first);
  EXPECT_EQ(cache_.take_freed(), own);
  EXPECT_EQ(cache_.free(), 6);
}

TEST_F(PrefixCacheTest, EvictsTheLeastRecentlyUsedFromItsEndAndNothingHeld) {
  const auto old_tokens = pages_of(3, 1), new_tokens = pages_of(3, 2), held_tokens = pages_of(2, 3);
  const auto old_pages = compute(old_tokens);
  const auto new_pages = compute(new_tokens);
  const auto held = compute(held_tokens);
  cache_.release(old_pages);
  cache_.release(new_pages);
  EXPECT_EQ(cache_.free(), 0);
  EXPECT_EQ(cache_.available(), 6);
  EXPECT_EQ(cache_.take(), old_pages[2]);
  EXPECT_EQ(cached_tokens(old_tokens), 32);
  // Being looked at counts as use: now the other one is older.
  EXPECT_EQ(cache_.take(), new_pages[2]);
  EXPECT_EQ(cache_.take(), new_pages[1]);
  EXPECT_EQ(cache_.take(), new_pages[0]);
  EXPECT_EQ(cache_.take(), old_pages[1]);
  EXPECT_EQ(cache_.take(), old_pages[0]);
  EXPECT_EQ(cache_.take(), std::nullopt);
  EXPECT_EQ(cached_tokens(held_tokens), 32);
  EXPECT_EQ(cache_.evictions(), 6);
}

TEST_F(PrefixCacheTest, ASharedStemOutlivesItsBranches) {
  const auto stem = pages_of(2, 1);
  const auto left = compute(stem + pages_of(1, 2));
  const auto right = compute(stem + pages_of(1, 3));
  EXPECT_EQ(left[1], right[1]);
  cache_.release(left);
  cache_.release(right);
  while (cache_.free() > 0) (void)cache_.take();
  EXPECT_EQ(cache_.take(), left[2]);
  EXPECT_EQ(cache_.take(), right[2]);
  EXPECT_EQ(cached_tokens(stem), 32);
}

class WorthTest : public PrefixCacheTest {
 protected:
  WorthTest() : PrefixCacheTest(8) {}
  // A prompt of `pages` pages that nobody asks again.
  void pass_by(int pages) { cache_.release(compute(pages_of(pages, ++passed_))); }
  // A sequence that begins with what the cache has of `tokens`.
  void come_back(const Tokens& tokens) {
    const auto blocks = compute(tokens);
    cache_.count_found(blocks);
    cache_.release(blocks);
  }
  int passed_ = 100;
};

TEST_F(WorthTest, WhatWasFoundAgainOutlivesWhatPassesBy) {
  const auto chat = pages_of(2, 1);
  cache_.release(compute(chat));
  come_back(chat);
  // Two of eight pages are the chat's: six a turnover.
  for (int i = 0; i < 6; ++i) pass_by(2);
  EXPECT_EQ(cached_tokens(chat), 32);
}

TEST_F(WorthTest, WhatNobodyComesBackForAges) {
  const auto chat = pages_of(2, 1);
  cache_.release(compute(chat));
  for (int i = 0; i < 100; ++i) come_back(chat);
  for (int i = 0; i < 40; ++i) pass_by(2);
  EXPECT_EQ(cached_tokens(chat), 0);
}

TEST(PrefixCache, ADearerPageOutlivesACheaperOneOfTheSameAge) {
  for (const double position_cost : {0.0, 1.0}) {
    PrefixCache cache(4, {true, 7, position_cost});
    const auto compute = [&](const Tokens& tokens) {
      Blocks blocks;
      for (std::size_t i = 0; i < tokens.size() / kBlockTokens; ++i)
        blocks.push_back(*cache.take());
      cache.publish({}, tokens, blocks, 0);
      cache.release(blocks);
      return blocks;
    };
    const auto deep = compute(pages_of(3, 1));
    const auto shallow = compute(pages_of(1, 2));
    EXPECT_EQ(cache.take(), position_cost == 0 ? deep[2] : shallow[0]);
  }
}

TEST_F(PrefixCacheTest, EvictedPagesAreReportedForClearing) {
  cache_.release(compute(pages_of(8, 1)));
  EXPECT_TRUE(cache_.take_freed().empty()) << "a cached page keeps its content";
  const auto block = cache_.take();
  EXPECT_EQ(cache_.take_freed(), Blocks{*block});
}

TEST(PrefixCache, WithoutKeepingAPageIsFreeWithItsLastHolder) {
  PrefixCache cache(2, {false, 0});
  const auto tokens = pages_of(1, 1);
  Blocks blocks = {*cache.take()};
  cache.publish({}, tokens, blocks, 0);
  cache.share(blocks);
  cache.release(blocks);
  EXPECT_EQ(cache.free(), 1);
  cache.release(blocks);
  EXPECT_EQ(cache.free(), 2);
  EXPECT_EQ(cache.take_freed(), blocks);
  EXPECT_TRUE(cache.match({}, tokens, 16).empty());
}

}  // namespace
}  // namespace plinth::engine
