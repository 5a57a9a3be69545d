// What every collective promises, held to each that one process can have.
#include "train/collective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <latch>
#include <numeric>

#include "train/agreement.h"
#include "train/share.h"
#include "train/testing/in_process_ranks.h"

namespace plinth::train {
namespace {

using Body = std::function<void(Collective&)>;

void run_alone(int, const Body& body) { body(*alone()); }
void run_in_process(int ranks, const Body& body) { on_ranks(ranks, body); }

struct Maker {
  const char* name;
  int ranks;
  void (*run)(int ranks, const Body& body);
};

// Whose sum depends on the order in which it is made.
float number(int rank, std::size_t i) {
  const float size = static_cast<float>(i % 5) + 1;
  return rank % 2 == 0 ? size * 1e7f + static_cast<float>(rank) : -size * 1e7f + 0.3f;
}

std::vector<float> numbers_of(int rank, std::size_t size) {
  std::vector<float> numbers(size);
  for (std::size_t i = 0; i < size; ++i) numbers[i] = number(rank, i);
  return numbers;
}

class CollectiveTest : public testing::TestWithParam<Maker> {
 protected:
  void run(const Body& body) { GetParam().run(GetParam().ranks, body); }
};

TEST_P(CollectiveTest, SumsItsStretchInTheOrderOfTheRanks) {
  run([&](Collective& ranks) {
    const auto place = ranks.place();
    ASSERT_EQ(place.ranks, GetParam().ranks);
    std::deque<std::vector<float>> arrays;
    for (const std::size_t size : {1u, 0u, 17u, 16u, 1000u}) {
      arrays.push_back(numbers_of(place.rank, size));
      ASSERT_TRUE(ranks.begin_reduce_scatter_sum(arrays.back()).ok());
    }
    ASSERT_TRUE(ranks.finish().ok());
    for (const auto& array : arrays) {
      const auto own = stretch_of(static_cast<std::int64_t>(array.size()), place);
      for (auto i = own.begin; i < own.end; ++i) {
        const auto at = static_cast<std::size_t>(i);
        float sum = number(0, at);
        for (int rank = 1; rank < place.ranks; ++rank) sum += number(rank, at);
        ASSERT_EQ(array[at], sum) << at;
      }
    }
  });
}

TEST_P(CollectiveTest, GathersWhatEachHas) {
  run([&](Collective& ranks) {
    for (const std::int64_t size : {0, 5, 40, 333}) {
      std::vector<float> array(static_cast<std::size_t>(size), -1);
      const auto own = stretch_of(size, ranks.place());
      for (auto i = own.begin; i < own.end; ++i)
        array[static_cast<std::size_t>(i)] = static_cast<float>(i);
      ASSERT_TRUE(ranks.all_gather(array).ok());
      std::vector<float> expected(array.size());
      std::iota(expected.begin(), expected.end(), 0.0f);
      EXPECT_EQ(array, expected);
    }
  });
}

TEST_P(CollectiveTest, SumsAndBroadcastsToAll) {
  run([&](Collective& ranks) {
    const auto place = ranks.place();
    double numbers[] = {place.rank + 1.0, place.rank == 0 ? 1e17 : 3.0};
    ASSERT_TRUE(ranks.all_reduce_sum(numbers).ok());
    EXPECT_EQ(numbers[0], place.ranks * (place.ranks + 1) / 2);
    double sum = 1e17;
    for (int rank = 1; rank < place.ranks; ++rank) sum += 3;
    EXPECT_EQ(numbers[1], sum);
    std::int32_t value = place.rank;
    const int root = place.ranks - 1;
    ASSERT_TRUE(ranks.broadcast(std::as_writable_bytes(std::span(&value, 1)), root).ok());
    EXPECT_EQ(value, root);
    EXPECT_TRUE(ranks.barrier().ok());
  });
}

TEST_P(CollectiveTest, AgreesOnTheFirstError) {
  run([&](Collective& ranks) {
    const auto place = ranks.place();
    EXPECT_TRUE(agree(ranks, absl::OkStatus()).ok());
    const auto mine = place.rank == place.ranks - 1 ? base::data_loss("torn") : absl::OkStatus();
    const auto agreed = agree(ranks, mine);
    EXPECT_TRUE(absl::IsDataLoss(agreed) && is_agreed(agreed) && !is_agreed(mine));
    EXPECT_EQ(base::message(agreed),
              place.ranks == 1 ? "torn" : "rank " + std::to_string(place.ranks - 1) + ": torn");
    EXPECT_TRUE(*any(ranks, place.rank == place.ranks - 1));
    EXPECT_FALSE(*any(ranks, false));
    EXPECT_TRUE(agree_on(ranks, "the same", "data").ok());
    if (place.ranks == 1) return;
    const auto differs = agree_on(ranks, place.rank == 1 ? "b" : "a", "data");
    EXPECT_EQ(base::message(differs), "rank 1: its data is b, and rank 0's is a");
  });
}

INSTANTIATE_TEST_SUITE_P(Makers, CollectiveTest,
                         testing::Values(Maker{"Alone", 1, run_alone},
                                         Maker{"One", 1, run_in_process},
                                         Maker{"Two", 2, run_in_process},
                                         Maker{"Four", 4, run_in_process}),
                         [](const auto& maker) { return maker.param.name; });

TEST(Collective, NobodyWaitsForARankThatIsGone) {
  on_ranks(3, [](Collective& ranks) {
    if (ranks.place().rank == 1) return;
    const auto status = ranks.barrier();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(base::message(status)), testing::HasSubstr("rank "));
  });
}

TEST(Collective, WaitsForABoundedTime) {
  std::latch gave_up(1);
  on_ranks(
      2,
      [&](Collective& ranks) {
        if (ranks.place().rank == 1) {
          gave_up.wait();
          return;
        }
        EXPECT_TRUE(absl::IsDeadlineExceeded(ranks.barrier()));
        gave_up.count_down();
      },
      std::chrono::milliseconds(1));
}

TEST(Share, EveryIndexIsOneRanksAndTokensAreEven) {
  const std::vector<std::int64_t> lengths = {3, 9, 1, 8, 2, 7, 4};
  for (const int ranks : {1, 2, 3, 9}) {
    std::vector<int> taken(lengths.size());
    std::int64_t most = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      std::int64_t tokens = 0;
      for (const auto index : share_of(lengths, {rank, ranks})) {
        ++taken[index];
        tokens += lengths[index];
      }
      most = std::max(most, tokens);
      EXPECT_TRUE(rank < 7 || tokens == 0);
    }
    EXPECT_THAT(taken, testing::Each(1));
    EXPECT_LE(most, std::max<std::int64_t>(9, 34 / ranks + 2)) << ranks;
  }
}

}  // namespace
}  // namespace plinth::train
