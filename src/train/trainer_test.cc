#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "model/tokenizer.h"
#include "train/testing/tiny_model.h"

namespace plinth::train {
namespace {

constexpr char kData[] =
    "{\"prompt\":\"one\",\"completion\":\" uno\"}\n"
    "{\"prompt\":\"two\",\"completion\":\" dos, which is longer\"}\n"
    "{\"prompt\":\"three of them\",\"completion\":\" tres\"}\n";

class TrainerTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = tiny_model();
    const auto tokenizer = *model::make_tokenizer(file_->tokenizer);
    const ExampleEncoder encoder(*tokenizer, nullptr, 0);
    data_ = *Dataset::read(kData, encoder, {1000});
    options_.batch_size = 2;
    options_.epochs = 2;
    options_.schedule.rate = 1e-2;
  }
  std::unique_ptr<Decoder<float>> decoder(std::int64_t rank) const {
    LoraOptions lora;
    lora.rank = rank;
    lora.alpha = 32;
    lora.targets = {"q", "k", "v", "o", "gate", "up", "down"};
    return *Decoder<float>::make(file_->spec, file_->weights, lora);
  }
  // The weights after a whole run.
  std::vector<float> weights_after(std::int64_t rank, int thread_count) {
    const auto made = decoder(rank);
    base::ThreadPool threads(thread_count);
    Compute compute(threads);
    Trainer trainer(*made, data_, options_, compute);
    while (trainer.done() < trainer.steps()) EXPECT_TRUE(trainer.step().ok());
    std::vector<float> all;
    for (const auto& parameter : made->parameters().all())
      all.insert(all.end(), parameter.value.begin(), parameter.value.end());
    return all;
  }
  static double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return most;
  }

  std::unique_ptr<model::ModelFile> file_;
  Dataset data_;
  TrainerOptions options_;
};

TEST_F(TrainerTest, LearnsAFileByHeart) {
  options_.epochs = 30;
  for (const std::int64_t rank : {0, 4}) {
    const auto made = decoder(rank);
    base::ThreadPool threads(2);
    Compute compute(threads);
    Trainer trainer(*made, data_, options_, compute);
    EXPECT_EQ(trainer.steps(), 60);
    const auto before = *trainer.evaluate(data_);
    EXPECT_EQ(before.targets, data_.report().targets);
    while (trainer.done() < trainer.steps()) {
      const auto report = trainer.step();
      ASSERT_TRUE(report.ok()) << report.status();
    }
    const auto after = *trainer.evaluate(data_);
    EXPECT_GT(before.mean(), 4) << rank;
    // An adapter has less to say over weights of no meaning.
    EXPECT_LT(after.mean(), rank == 0 ? 0.1 : 1.0) << rank;
    EXPECT_GT(after.correct, after.targets * (rank == 0 ? 99 : 80) / 100) << rank;
    EXPECT_THAT(trainer.step().status().message(), testing::HasSubstr("over"));
  }
}

TEST_F(TrainerTest, LearnsWithMuonAndWithShortMoments) {
  options_.epochs = 30;
  for (const bool muon : {false, true}) {
    options_.muon = muon;
    options_.adamw.short_moments = true;
    const auto made = decoder(0);
    base::ThreadPool threads(2);
    Compute compute(threads);
    Trainer trainer(*made, data_, options_, compute);
    while (trainer.done() < trainer.steps()) {
      const auto report = trainer.step();
      ASSERT_TRUE(report.ok()) << report.status();
    }
    EXPECT_LT(trainer.evaluate(data_)->mean(), 0.2) << muon;
  }
}

TEST_F(TrainerTest, StepsGoOnWhileACheckpointIsWritten) {
  const auto folder = testing::TempDir() + "trainer_background";
  std::filesystem::remove_all(folder);
  const auto whole = weights_after(0, 1);
  {
    const auto made = decoder(0);
    base::ThreadPool threads(1);
    Compute compute(threads);
    Trainer trainer(*made, data_, options_, compute);
    ASSERT_TRUE(trainer.step().ok());
    ASSERT_TRUE(trainer.begin_save(folder, 2).ok());
    ASSERT_TRUE(trainer.step().ok());  // of which the checkpoint knows nothing
    ASSERT_TRUE(trainer.finish_save().ok());
    ASSERT_TRUE(trainer.begin_save("/proc/nowhere", 2).ok());
    EXPECT_FALSE(trainer.finish_save().ok());
    EXPECT_TRUE(trainer.finish_save().ok()) << "said once";
  }
  const auto made = decoder(0);
  base::ThreadPool threads(1);
  Compute compute(threads);
  Trainer trainer(*made, data_, options_, compute);
  ASSERT_TRUE(*trainer.resume(folder));
  EXPECT_EQ(trainer.done(), 1);
  while (trainer.done() < trainer.steps()) ASSERT_TRUE(trainer.step().ok());
  std::vector<float> all;
  for (const auto& parameter : made->parameters().all())
    all.insert(all.end(), parameter.value.begin(), parameter.value.end());
  EXPECT_TRUE(all == whole);
  std::filesystem::remove_all(folder);
}

// What is rounded by chance is right on average, and what BF16 can say stays.
TEST(MomentArray, RoundsByChance) {
  MomentArray<float> array;
  constexpr std::int64_t kCount = 20'000;
  array.resize(kCount, true);
  const float between = 1.0f + 0.25f / 128;  // a quarter of the way to the next
  const std::vector<float> numbers(kCount, between);
  array.store(0, kCount, numbers.data(), 7);
  std::vector<float> out(kCount);
  array.load(0, kCount, out.data());
  double sum = 0;
  for (const float x : out) {
    EXPECT_TRUE(x == 1.0f || x == 1.0f + 1.0f / 128) << x;
    sum += static_cast<double>(x) - 1;
  }
  EXPECT_NEAR(sum / kCount * 128, 0.25, 0.02);
  array.store(0, kCount, out.data(), 99);
  std::vector<float> again(kCount);
  array.load(0, kCount, again.data());
  EXPECT_EQ(again, out);
}

TEST_F(TrainerTest, TheSameBitsForAnyNumberOfThreads) {
  const auto expected = weights_after(0, 1);
  EXPECT_TRUE(expected == weights_after(0, 3));
  options_.recompute = Recompute::none;
  EXPECT_TRUE(expected == weights_after(0, 2));
  options_.seed = 2;
  EXPECT_FALSE(expected == weights_after(0, 2)) << "the order of examples is the seed's";
}

TEST_F(TrainerTest, TheCutIntoPassesHardlyMatters) {
  options_.adamw.epsilon = 1e-4;  // else the sign of a gradient near 0 is a whole step
  const auto together = weights_after(0, 2);
  options_.pass_tokens = 1;
  EXPECT_LT(distance(together, weights_after(0, 2)), 1e-5);
}

TEST_F(TrainerTest, StopsWhereNumbersEnd) {
  const auto made = decoder(0);
  base::ThreadPool threads(1);
  Compute compute(threads);
  Trainer trainer(*made, data_, options_, compute);
  auto& weight = made->parameters().find("layers.0.up")->value[3];
  weight = std::numeric_limits<float>::quiet_NaN();
  const auto before = made->parameters().find("head") != nullptr
                          ? made->parameters().find("head")->value
                          : made->parameters().find("embedding")->value;
  const auto report = trainer.step();
  EXPECT_TRUE(absl::IsFailedPrecondition(report.status())) << report.status();
  EXPECT_EQ(trainer.done(), 0);
  const auto* head = made->parameters().find("head");
  EXPECT_TRUE(before == (head != nullptr ? head : made->parameters().find("embedding"))->value);
}

TEST(Schedule, RisesAndFalls) {
  ScheduleOptions options;
  options.rate = 1;
  options.warmup_steps = 4;
  options.least = 0.1;
  options.decay = Decay::cosine;
  EXPECT_DOUBLE_EQ(learning_rate(options, 0, 104), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate(options, 3, 104), 1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 4, 104), 1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 54, 104), 0.55);
  EXPECT_NEAR(learning_rate(options, 104, 104), 0.1, 1e-12);
  options.decay = Decay::linear;
  EXPECT_DOUBLE_EQ(learning_rate(options, 54, 104), 0.55);
  options.decay = Decay::wsd;
  EXPECT_DOUBLE_EQ(learning_rate(options, 84, 104), 1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 94, 104), 0.55);
  options.decay = Decay::constant;
  EXPECT_DOUBLE_EQ(learning_rate(options, 103, 104), 1);
}

}  // namespace
}  // namespace plinth::train
