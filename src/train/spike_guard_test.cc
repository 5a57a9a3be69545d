#include "train/spike_guard.h"

#include <gtest/gtest.h>

#include <limits>

namespace plinth::train {
namespace {

TEST(SpikeGuard, SkipsWhatStandsOut) {
  SpikeGuard guard({true, 16, 8, 6});
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(guard.skips(i == 3 ? 99 : 2 + i % 2, 1)) << i;
  SpikeGuard calm({true, 16, 8, 6});
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(calm.skips(2 + i % 2, 1 + 0.1 * (i % 3)));
  EXPECT_TRUE(calm.skips(9, 1));
  EXPECT_TRUE(calm.skips(2, 50));
  EXPECT_FALSE(calm.skips(0.1, 0.1)) << "what is low is no spike";
}

TEST(SpikeGuard, TakesWhatStaysHigh) {
  SpikeGuard guard({true, 16, 8, 6});
  for (int i = 0; i < 20; ++i) guard.skips(2 + i % 2, 1);
  int skipped = 0;
  for (int i = 0; i < 16; ++i) skipped += guard.skips(20, 1) ? 1 : 0;
  EXPECT_GT(skipped, 0);
  EXPECT_LT(skipped, 8);
}

TEST(SpikeGuard, GoesOnFromWhatItRemembers) {
  SpikeGuard guard({true, 16, 8, 6});
  for (int i = 0; i < 21; ++i) guard.skips(2 + i % 2, 1 + 0.1 * (i % 3));
  SpikeGuard other(guard.options());
  other.remembered() = guard.remembered();
  other.set_steps(21);
  for (int i = 0; i < 20; ++i) {
    const double loss = i == 7 ? 30 : 2 + i % 2;
    EXPECT_EQ(guard.skips(loss, 1), other.skips(loss, 1)) << i;
  }
}

TEST(SpikeGuard, OffSkipsNothing) {
  SpikeGuard guard({false, 16, 8, 6});
  for (int i = 0; i < 20; ++i) guard.skips(2, 1);
  EXPECT_FALSE(guard.skips(1e9, 1e9));
}

}  // namespace
}  // namespace plinth::train
