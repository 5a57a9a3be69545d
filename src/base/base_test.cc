#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/cpu_affinity.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/named_type.h"
#include "base/random.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "base/units.h"

namespace plinth::base {
namespace {

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10 rounds).
TEST(Random, PhiloxMatchesTheKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t f = 0xffffffff;
  EXPECT_EQ(philox4x32({f, f, f, f}, {f, f}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Random, UniformDependsOnPositionAndStaysInRange) {
  double sum = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const double u = uniform_at(7, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
  EXPECT_NE(uniform_at(7, 1), uniform_at(7, 2));
  EXPECT_NE(uniform_at(7, 1), uniform_at(8, 1));
  EXPECT_NE(uniform_at(7, 1, 0), uniform_at(7, 1, 1));
}

TEST(Json, NamesTheOffsetOfAnErrorAndRefusesDepth) {
  EXPECT_TRUE(parse_json(R"({"a":[1,2,{"b":null}]})").ok());
  const auto bad = parse_json(R"({"a": 1,})");
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(message(bad.status()).find("byte "), std::string_view::npos);
  EXPECT_FALSE(parse_json("{} x").ok());
  EXPECT_FALSE(parse_json("").ok());
  EXPECT_FALSE(parse_json("\"\xff\"").ok());
  EXPECT_FALSE(parse_json(R"({"a":[1e400]})").ok());
  EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')).ok());
  EXPECT_TRUE(parse_json(std::string(60, '[') + std::string(60, ']')).ok());
}

TEST(ThreadPool, PinsEachThreadOnceBeforeItsWork) {
  std::mutex mutex;
  std::map<std::thread::id, int> pinned;
  ThreadPool pool(3, [&](int thread) {
    std::lock_guard lock(mutex);
    EXPECT_TRUE(pinned.emplace(std::this_thread::get_id(), thread).second);
    return absl::OkStatus();
  });
  for (int i = 0; i < 2; ++i) {
    pool.run([&](int thread) {
      std::lock_guard lock(mutex);
      EXPECT_EQ(pinned.at(std::this_thread::get_id()), thread);
    });
  }
  EXPECT_EQ(pinned.size(), 3u);
}

TEST(ThreadPool, RunsUnpinnedWhereTheKernelForbidsIt) {
  const std::string log = ::testing::TempDir() + "unpinned.log";
  std::filesystem::remove(log);
  ASSERT_TRUE(set_log_file(log));
  std::atomic<int> calls{0};
  {
    ThreadPool pool(3,
                    [](int thread) { return unavailable("not thread " + std::to_string(thread)); });
    pool.run([&](int) { ++calls; });
  }
  ASSERT_TRUE(set_log_file("/dev/null"));
  EXPECT_EQ(calls, 3);
  const auto text = *read_file(log, 1 << 16);
  const auto line = text.find("compute threads are not pinned: not thread ");
  EXPECT_NE(line, std::string::npos) << text;
  EXPECT_EQ(text.find("not pinned", line + 30), std::string::npos) << text;
}

TEST(CpuAffinity, PinsToAProcessorOfTheMaskAlone) {
  const auto before = allowed_processors();
  ASSERT_FALSE(before.empty());
  std::thread([&] {
    EXPECT_TRUE(pin_this_thread(before.back()).ok());
    EXPECT_EQ(allowed_processors(), std::vector<int>{before.back()});
    const auto status = pin_this_thread(-1);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(message(status), "processor -1: Invalid argument");
    EXPECT_FALSE(pin_in_turn({})(0).ok());
  }).join();
  EXPECT_EQ(allowed_processors(), before);
}

TEST(ThreadPool, VisitsEachIndexOnceForAnyNumberOfThreads) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> hits(101);
      pool.parallel_for(101, 7, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) hits[static_cast<std::size_t>(i)].fetch_add(1);
      });
      for (auto& hit : hits) ASSERT_EQ(hit.load(), 1);
    }
  }
}

TEST(File, AtomicWriteReplacesAndReadIsBounded) {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("plinth_base_" + std::to_string(::getpid()));
  ASSERT_TRUE(make_folders(folder + "/a/b").ok());
  const std::string path = folder + "/a/b/file";
  ASSERT_TRUE(write_file_atomic(path, "one").ok());
  ASSERT_TRUE(write_file_atomic(path, "two words", 0600).ok());
  EXPECT_EQ(*read_file(path, 100), "two words");
  EXPECT_EQ(read_file(path, 3).status().code(), absl::StatusCode::kResourceExhausted);
  auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->bytes().size(), 9u);
  EXPECT_EQ(MappedFile::open(folder + "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(make_folders(path + "/under").ok());
  std::filesystem::remove_all(folder);
}

// Pages of files that this process has in its memory.
std::uint64_t file_pages() {
  std::uint64_t size = 0, resident = 0, shared = 0;
  std::ifstream("/proc/self/statm") >> size >> resident >> shared;
  return shared;
}

TEST(File, ReleasedPagesLeaveMemoryAndReadTheSame) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("plinth_pages_" + std::to_string(::getpid()));
  ASSERT_TRUE(write_file_atomic(path, std::string(16_MiB, 'x')).ok());
  const auto mapped = *MappedFile::open(path);
  const auto sum = [&] {
    std::uint64_t total = 0;
    for (const auto byte : mapped.bytes()) total += byte;
    return total;
  };
  EXPECT_EQ(sum(), 16_MiB * 'x');
  const auto before = file_pages();
  release_pages(mapped.bytes());
  EXPECT_LT(file_pages() + 8_MiB / 4096, before);
  EXPECT_EQ(sum(), 16_MiB * 'x');
  std::filesystem::remove(path);
}

TEST(Units, CheckedArithmeticRefusesOverflow) {
  EXPECT_EQ(checked_mul(1ull << 32, 1ull << 31), 1ull << 63);
  EXPECT_FALSE(checked_mul(1ull << 32, 1ull << 32).has_value());
  EXPECT_FALSE(checked_add(~0ull, 1).has_value());
  EXPECT_EQ(3_MiB, 3u * 1024 * 1024);
  EXPECT_EQ(round_up(33, 32), 64);
}

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock(1000);
  const auto start = clock.now();
  EXPECT_EQ(clock.now(), start);
  clock.advance(std::chrono::milliseconds(2500));
  EXPECT_EQ(clock.now() - start, std::chrono::milliseconds(2500));
  EXPECT_EQ(clock.unix_seconds(), 1002);
}

TEST(Metrics, ExposesCounterWithLabels) {
  Metrics metrics;
  metrics.counter("requests_total", "Requests.", {{"code", "200"}}).Increment();
  metrics.counter("requests_total", "Requests.", {{"code", "200"}}).Increment();
  EXPECT_NE(metrics.exposition().find("requests_total{code=\"200\"} 2"), std::string::npos);
}

absl::StatusOr<int> half(int n) {
  if (n % 2 != 0) return invalid_argument("[half] odd");
  return n / 2;
}
absl::StatusOr<int> quarter(int n) {
  ASSIGN_OR_RETURN(const int h, half(n));
  return half(h);
}

TEST(Status, MacrosPropagate) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(message(quarter(6).status()), "[half] odd");
  EXPECT_EQ(message(annotate(quarter(6).status(), "file")), "file: [half] odd");
}

TEST(Json, WritesWhatItRead) {
  for (const char* text :
       {R"({"a":[1,-2,0.2,1.0,1e+30,true,false,null,"x\"\u0001",{}],"b":{"c":[]}})",
        R"([18446744073709551615,-9223372036854775808,5e-324])", R"("")", "[]", "0.1"}) {
    const auto value = parse_json(text);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(to_json(*value), text);
  }
}

// What is written without building a value is what the library would have written, or reads back as
// the same.
TEST(Json, AppendsStringsThatReadBack) {
  for (int byte = 0; byte < 0x80; ++byte) {
    const std::string text = "a" + std::string(1, static_cast<char>(byte)) + "\xC3\xA9";
    std::string out = "x";
    append_json_string(out, text);
    EXPECT_EQ(out[0], 'x');
    const auto read = parse_json(out.substr(1));
    ASSERT_TRUE(read.ok()) << byte;
    EXPECT_EQ(read->as_string(), text);
  }
}

}  // namespace
}  // namespace plinth::base
