// What every collective promises, held to each that one process can have.
#include "train/collective.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <latch>
#include <numeric>

#include "base/clock.h"
#include "train/agreement.h"
#include "train/mpi_messages.h"
#include "train/share.h"
#include "train/testing/in_process_ranks.h"

namespace plinth::train {
namespace {

using Body = std::function<void(Collective&)>;

void run_alone(int, const Body& body) { body(*alone()); }
void run_in_process(int ranks, const Body& body) { on_ranks(ranks, body); }

// MPI, of threads: its functions speak for the thread that calls them.
thread_local std::unique_ptr<Messages> world;

int code(const absl::Status& status) { return static_cast<int>(status.code()); }

const MpiFunctions kThreadsAsMpi = {
    kMpiFunctions,
    [](int* rank, int* ranks, int* ranks_here) {
      *rank = world->place().rank;
      *ranks = *ranks_here = world->place().ranks;
      return 0;
    },
    [](const void* bytes, int size, int to, int tag) {
      return code(world->send(
          to, tag, {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)}));
    },
    [](void* bytes, int size, int from, int tag) {
      return code(world->receive(from, tag,
                                 {static_cast<std::byte*>(bytes), static_cast<std::size_t>(size)}));
    },
    [](int* done, int*) {
      const auto status = world->wait(std::chrono::milliseconds(0));
      *done = status.ok() ? 1 : 0;
      return absl::IsDeadlineExceeded(status) ? 0 : code(status);
    },
    [] { return 0; },
    [] {},
    [](int error, char* text, int size) {
      *fmt::format_to_n(text, static_cast<std::size_t>(size), "error {}", error).out = 0;
    }};

void run_as_mpi(int ranks, const Body& body) {
  const base::RealClock clock;
  std::vector<std::thread> threads;
  for (auto& messages : in_process_messages(ranks)) {
    threads.emplace_back([&body, &clock, own = std::move(messages)]() mutable {
      world = std::move(own);
      const auto joined = collective_of(*join_mpi(kThreadsAsMpi, clock));
      EXPECT_EQ(joined->ranks_here(), joined->place().ranks);
      body(*joined);
      world.reset();
    });
  }
  for (auto& thread : threads) thread.join();
}

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

INSTANTIATE_TEST_SUITE_P(
    Makers, CollectiveTest,
    testing::Values(Maker{"Alone", 1, run_alone}, Maker{"One", 1, run_in_process},
                    Maker{"Two", 2, run_in_process}, Maker{"Four", 4, run_in_process},
                    Maker{"MpiOne", 1, run_as_mpi}, Maker{"MpiThree", 3, run_as_mpi}),
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

// MPI of two ranks whose other one never comes, or where something breaks.
base::FakeClock* mpi_clock = nullptr;
int mpi_error = 0, mpi_ended = 0;

const MpiFunctions kSilentMpi = {kMpiFunctions,
                                 [](int* rank, int* ranks, int* ranks_here) {
                                   *rank = 0;
                                   *ranks = *ranks_here = 2;
                                   return 0;
                                 },
                                 [](const void*, int, int, int) { return 0; },
                                 [](void*, int, int, int) { return 0; },
                                 [](int* done, int* awaited) {
                                   mpi_clock->advance(std::chrono::seconds(1));
                                   *done = 0;
                                   *awaited = 1;
                                   return mpi_error;
                                 },
                                 [] { return ++mpi_ended; },
                                 [] {},
                                 kThreadsAsMpi.describe};

TEST(Collective, OfMpiSaysWhichRankDidNotComeAndWhatBroke) {
  base::FakeClock clock;
  mpi_clock = &clock;
  mpi_ended = 0;
  for (const int error : {0, 17}) {
    mpi_error = error;
    const auto ranks =
        collective_of(*join_mpi(kSilentMpi, clock), std::chrono::milliseconds(60'000));
    const auto status = ranks->barrier();
    EXPECT_EQ(base::message(status), error == 0 ? "[ranks] rank 1 did not come within 60 s"
                                                : "[ranks] MPI, test: error 17");
    // Nothing is waited for once more.
    const auto now = clock.now();
    EXPECT_EQ(ranks->barrier(), status);
    EXPECT_EQ(ranks->finish(), status);
    EXPECT_EQ(clock.now(), now);
  }
  EXPECT_EQ(mpi_ended, 0) << "an end would wait for the other rank";
  EXPECT_TRUE(absl::IsNotFound(load_mpi("/nowhere/plinth_mpi.so").status()));
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
