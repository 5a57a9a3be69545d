#include <gtest/gtest.h>

#include <thread>

#include "engine/kv/prefix_cache.h"
#include "engine/limits.h"

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

// Twelve pages, of which six may be pinned.
class PrefixCachePins : public ::testing::Test {
 protected:
  // What a sequence leaves that computed these tokens.
  Blocks keep(const Tokens& tokens, const CacheScope& scope = {}) {
    auto blocks = hold(tokens, scope);
    cache_.release(blocks);
    return blocks;
  }
  Blocks hold(const Tokens& tokens, const CacheScope& scope = {}) {
    auto blocks = cache_.match(scope, tokens, static_cast<int>(tokens.size()));
    const auto first = blocks.size();
    while (blocks.size() * kBlockTokens < tokens.size()) blocks.push_back(*cache_.take());
    cache_.publish(scope, tokens, blocks, first);
    return blocks;
  }
  Pin pin(const Tokens& tokens, const CacheScope& scope = {}) {
    return cache_.pin(scope, tokens, static_cast<int>(tokens.size()), clock_.now());
  }
  bool redeem(const Pin& pin) { return cache_.redeem(pin.id, clock_.now()); }
  void take(int pages) {
    for (int i = 0; i < pages; ++i) ASSERT_TRUE(cache_.take().has_value());
  }

  base::FakeClock clock_;
  PrefixCache cache_{12, {true, 7}};
  const Tokens old_ = pages_of(3, 1), new_ = pages_of(3, 2), other_ = pages_of(3, 3);
};

TEST_F(PrefixCachePins, KeepsWhatWouldHaveGoneFirstUntilNothingElseIsLeft) {
  const auto old_pages = keep(old_);
  const auto new_pages = keep(new_);
  const auto kept = pin(old_);
  EXPECT_EQ(kept.pages, 3);
  EXPECT_EQ(cache_.pinned(), 3);
  EXPECT_EQ(cache_.available(), 12) << "pins take nothing from whoever needs pages";
  take(6);
  EXPECT_EQ(cache_.take(), new_pages[2]);
  take(2);
  EXPECT_EQ(cache_.take_unpinned(), std::nullopt);
  EXPECT_EQ(cache_.pins_broken(), 0);
  EXPECT_EQ(cache_.take(), old_pages[2]) << "but nobody goes without one";
  EXPECT_EQ(cache_.pins_broken(), 1);
  EXPECT_EQ(cache_.pinned(), 0);
  EXPECT_FALSE(redeem(kept)) << "and whoever pinned it learns of it";
  EXPECT_EQ(cache_.take_unpinned(), old_pages[1]);
}

TEST_F(PrefixCachePins, ALeaseEnds) {
  keep(old_);
  const auto lease = pin(old_), redeemed = pin(old_);
  clock_.advance(kPinLease - base::Duration(1));
  EXPECT_TRUE(redeem(redeemed));
  clock_.advance(base::Duration(1));
  EXPECT_FALSE(redeem(lease));
  clock_.advance(std::chrono::hours(1));
  EXPECT_TRUE(redeem(redeemed)) << "what is redeemed stays";
  EXPECT_EQ(cache_.pinned(), 3);
  cache_.unpin(redeemed.id);
  EXPECT_EQ(cache_.pinned(), 0);
  EXPECT_FALSE(redeem(redeemed));
  cache_.unpin(redeemed.id);  // twice is once
  cache_.unpin(lease.id);
  EXPECT_EQ(cache_.pinned(), 0);
}

TEST_F(PrefixCachePins, LeasesGoBeforeWhatIsRedeemed) {
  const auto old_pages = keep(old_);
  const auto new_pages = keep(new_);
  const auto redeemed = pin(old_), lease = pin(new_);
  ASSERT_TRUE(redeem(redeemed));
  take(6);
  EXPECT_EQ(cache_.take(), new_pages[2]);
  take(2);
  EXPECT_FALSE(redeem(lease));
  EXPECT_TRUE(redeem(redeemed));
  EXPECT_EQ(cache_.take(), old_pages[2]);
  EXPECT_FALSE(redeem(redeemed));
  EXPECT_EQ(cache_.pins_broken(), 2);
}

TEST_F(PrefixCachePins, APageBreaksThePinsThatEndWithItAndNoOthers) {
  keep(old_);
  const auto whole = pin(old_);
  const auto stem = pin(pages_of(2, 1));
  EXPECT_EQ(stem.pages, 2);
  EXPECT_EQ(cache_.pinned(), 3) << "a page of two pins counts once";
  take(9);
  take(1);
  EXPECT_FALSE(redeem(whole));
  EXPECT_TRUE(redeem(stem));
  EXPECT_EQ(cache_.pinned(), 2);
}

TEST_F(PrefixCachePins, HaveABound) {
  keep(old_);
  keep(new_);
  keep(other_);
  EXPECT_EQ(pin(old_).pages, 3);
  EXPECT_EQ(pin(pages_of(2, 2)).pages, 2);
  const auto part = pin(other_);
  EXPECT_EQ(part.pages, 1) << "as much as there is room for";
  EXPECT_EQ(cache_.pinned(), cache_.pinned_max());
  EXPECT_EQ(pin(new_).pages, 2) << "what is pinned already takes no more room";
  EXPECT_EQ(pin(pages_of(1, 4)).id, 0u);
  clock_.advance(kPinLease);
  EXPECT_EQ(pin(other_).pages, 3) << "leases that are over make room";
  EXPECT_EQ(cache_.pinned(), 3);
}

// Promise 4.
TEST_F(PrefixCachePins, FindNothingOfAnotherScope) {
  keep(old_, {"a", ""});
  EXPECT_EQ(pin(old_, {"b", ""}).id, 0u);
  EXPECT_EQ(pin(old_, {"a", "", true}).id, 0u);
  EXPECT_EQ(pin(old_, {"a", ""}).pages, 3);
  EXPECT_EQ(cache_.pin({"a", ""}, old_, 47, clock_.now()).pages, 2) << "full pages alone";
}

TEST_F(PrefixCachePins, PagesThatAreHeldStayPinnedOnceTheyAreLetGo) {
  const auto pages = hold(old_);
  const auto kept = pin(old_);
  cache_.release(pages);
  keep(new_);
  take(6);
  take(3);
  EXPECT_EQ(cache_.take_unpinned(), std::nullopt);
  EXPECT_TRUE(redeem(kept));
  cache_.unpin(kept.id);
  EXPECT_EQ(cache_.take_unpinned(), pages[2]);
}

// For TSan: one thread owns the pages, others pin.
TEST_F(PrefixCachePins, AnyThreadPinsWhileTheOwnerEvicts) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 300; ++round) {
        const auto kept = cache_.pin({}, pages_of(3, round % 4), 48, {});
        if (round % 3 == i) cache_.redeem(kept.id, {});
        EXPECT_LE(cache_.pinned(), cache_.pinned_max());
        cache_.unpin(kept.id);
      }
    });
  }
  for (int round = 0; round < 300; ++round) keep(pages_of(3, round % 5));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cache_.pinned(), 0);
  EXPECT_EQ(cache_.available(), 12);
}

}  // namespace
}  // namespace plinth::engine
