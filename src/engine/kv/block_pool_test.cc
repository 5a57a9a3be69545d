#include "engine/kv/block_pool.h"

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

TEST(BlockPool, APageIsFreeOnceItsLastHolderIsGone) {
  BlockPool pool(2);
  const BlockId page = *pool.take();
  pool.share(page);
  EXPECT_EQ(pool.release(page), 1);
  EXPECT_EQ(pool.available(), 1);
  EXPECT_EQ(pool.release(page), 0);
  EXPECT_EQ(pool.available(), 2);
}

TEST(BlockPool, GivesEachPageOnce) {
  BlockPool pool(2);
  const auto first = pool.take(), second = pool.take();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(pool.take().has_value());
}

// Going on would hand one page to two sequences.
TEST(BlockPoolDeathTest, AFreePageHasNoHolder) {
  BlockPool pool(1);
  const BlockId page = *pool.take();
  pool.release(page);
  EXPECT_DEATH(pool.release(page), "CHECK failed");
  EXPECT_DEATH(pool.share(page), "CHECK failed");
  EXPECT_DEATH(pool.release(BlockId(1)), "CHECK failed");
}

}  // namespace
}  // namespace plinth::engine
