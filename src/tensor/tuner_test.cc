#include "tensor/tuner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "tensor/linear.h"
#include "tensor/quantize.h"
#include "tensor/tuning_file.h"

namespace plinth::tensor {
namespace {

namespace fs = std::filesystem;

// Runs of a blocking take as long as `cost` says.
int runs_of(Tuner& tuner, base::FakeClock& clock, const std::function<int(const Blocking&)>& cost,
            Blocking& choice) {
  int runs = 0;
  choice = tuner.choose("shape", [&](const Blocking& blocking) {
    ++runs;
    clock.advance(std::chrono::microseconds(cost(blocking)));
  });
  return runs;
}

TEST(Tuner, TakesTheFastestAndMeasuresOnce) {
  base::FakeClock clock;
  Tuner tuner({}, clock);
  Blocking choice;
  const auto cost = [](const Blocking& blocking) { return blocking == kBlockings[3] ? 80 : 100; };
  EXPECT_GT(runs_of(tuner, clock, cost, choice), 0);
  EXPECT_EQ(choice, kBlockings[3]);
  EXPECT_EQ(runs_of(tuner, clock, cost, choice), 0);
  EXPECT_EQ(choice, kBlockings[3]);
  EXPECT_EQ(tuner.measured(), 1);
}

// A slow run of the default, as a busy neighbour makes it, decides nothing.
TEST(Tuner, NoiseLeavesTheDefault) {
  base::FakeClock clock;
  Tuner tuner({}, clock);
  Blocking choice = kBlockings[1];
  int run = 0;
  runs_of(
      tuner, clock, [&](const Blocking&) { return ++run == 2 ? 500 : 100 + run % 2; }, choice);
  EXPECT_EQ(choice, kBlockings[0]);
}

TEST(Tuner, TheTableComesBackForTheSameProcessorAlone) {
  const BlockingTable table = {{"a \"q4\"", {128, 32 << 10}}, {"b", {64, 16 << 10}}};
  const auto text = write_tuning(table, "some processor");
  const auto back = read_tuning(text, "some processor");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, table);
  const auto other = read_tuning(text, "another");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(other.status().message().find("some processor"), std::string::npos);
}

TEST(Tuner, ADamagedTableIsAnError) {
  for (
      const std::string text :
      {"", "x", "[]", "null", R"({"version":1})", R"({"version":2,"processor":"p","shapes":{}})",
       R"({"version":1,"processor":7,"shapes":{}})", R"({"version":1,"processor":"p","shapes":[]})",
       R"({"version":1,"processor":"p","shapes":{"a":5}})",
       R"({"version":1,"processor":"p","shapes":{"a":{"slab_tokens":0,"range_bytes":16384}}})",
       R"({"version":1,"processor":"p","shapes":{"a":{"slab_tokens":20,"range_bytes":16384}}})",
       R"({"version":1,"processor":"p","shapes":{"a":{"slab_tokens":64,"range_bytes":-1}}})",
       R"({"version":1,"processor":"p","shapes":{"a":{"slab_tokens":64}}})",
       R"({"version":1,"processor":"p","shapes":{"a":{"slab_tokens":1e9,"range_bytes":16384}}})"}) {
    EXPECT_FALSE(read_tuning(text, "p").ok()) << text;
  }
}

TEST(TuningFile, KeepsATableAndStartsAnewWhereItIsDamaged) {
  const auto path = fs::temp_directory_path() / ("tuning_test_" + std::to_string(::getpid()));
  const BlockingTable two = {{"a", {128, 32 << 10}}, {"b", {64, 16 << 10}}};
  const BlockingTable one = {{"c", {32, 32 << 10}}};
  EXPECT_TRUE(TuningFile::open(path)->read().empty());
  for (const auto& table : {two, one, two}) {  // shorter than before, and longer
    ASSERT_TRUE(TuningFile::open(path)->write(table).ok());
    EXPECT_EQ(TuningFile::open(path)->read(), table);
  }
  std::ofstream(path) << "{\"version\":";
  EXPECT_TRUE(TuningFile::open(path)->read().empty());
  ASSERT_TRUE(TuningFile::open(path)->write(one).ok());
  EXPECT_EQ(TuningFile::open(path)->read(), one);
  fs::remove(path);
  EXPECT_FALSE(TuningFile::open("/nowhere/file").ok());
}

// Promise 3: a choice changes no bit. Blocks of both ends of the bounds, and more tokens than two
// slabs of the largest.
TEST(Tuner, BlockingChangesNoBit) {
  constexpr int kTokens = 150;
  constexpr std::int64_t kRows = 70, kColumns = 512;
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> weights(kRows * kColumns), x(kTokens * kColumns);
  for (float& value : weights) value = normal(random);
  for (float& value : x) value = normal(random);
  const MatrixView floats{reinterpret_cast<const std::uint8_t*>(weights.data()), DType::f32, kRows,
                          kColumns};
  const auto stored = quantize_matrix(DType::q8_0, floats);
  const MatrixView view{stored.data(), DType::q8_0, kRows, kColumns};
  base::ThreadPool pool(2);
  const base::FakeClock clock;
  for (const Isa isa : supported_isas()) {
    std::vector<float> first;
    for (const Blocking& blocking :
         {Blocking{}, Blocking{16, 1024}, Blocking{32, 4096}, Blocking{1024, 1 << 20}}) {
      const auto shape = std::string(isa_name(isa)) + " q8_0 70x512";
      Tuner tuner({{shape, blocking}}, clock);
      const auto packed = *pack_linear({&view, 1}, {isa, LinearMode::fast, &pool, nullptr, &tuner});
      ASSERT_EQ(tuner.measured(), 0) << "the shape is called otherwise";
      Activations activations;
      packed->prepare(x.data(), kColumns, kTokens, activations, pool);
      std::vector<float> y(kTokens * kRows);
      packed->multiply(activations, kTokens, y.data(), kRows, pool);
      if (first.empty()) first = y;
      ASSERT_EQ(std::memcmp(first.data(), y.data(), y.size() * sizeof(float)), 0)
          << isa_name(isa) << " slab " << blocking.slab_tokens << " range " << blocking.range_bytes;
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
