// A run of several ranks against the same run of one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "model/tokenizer.h"
#include "train/testing/in_process_ranks.h"
#include "train/testing/tiny_model.h"
#include "train/trainer.h"

namespace plinth::train {
namespace {

struct Outcome {
  std::vector<double> losses, norms;
  std::vector<std::int64_t> tokens;
  std::vector<Numbers<float>> weights;
  double valid = 0;
};

class RanksTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = tiny_model();
    std::string records;
    for (int i = 0; i < 9; ++i) {
      const auto question = "what is " + std::string(static_cast<std::size_t>(i * i), 'x');
      records += R"({"prompt":")" + question + R"(","completion":" number )" +
                 std::string(static_cast<std::size_t>(1 + i % 4 * 5), 'y') + "\"}\n";
    }
    const auto tokenizer = *model::make_tokenizer(file_->tokenizer);
    data_ = *Dataset::read(records, ExampleEncoder(*tokenizer, nullptr, 0), {1000});
    options_.batch_size = 4;  // and one that is left: less than there are ranks
    options_.epochs = 4;
    options_.pass_tokens = 48;
    options_.schedule = {1e-3, 0, 0, Decay::constant};
    options_.adamw.epsilon = 1e-4;  // else the sign of a gradient near 0 is a whole step
  }
  void use_preferences() {
    std::vector<Example> examples;
    for (std::size_t i = 0; i < 9; ++i) {
      for (const std::size_t length : {2 + i, 9 - i}) {
        auto& example = examples.emplace_back();
        example.append(std::vector<std::int32_t>(1 + i % 3, 5), false);
        example.append(std::vector<std::int32_t>(length, static_cast<std::int32_t>(length)), true);
      }
    }
    data_ = Dataset::of(std::move(examples), true);
  }
  std::unique_ptr<Decoder<float>> decoder(Compute& compute) const {
    LoraOptions lora;
    lora.rank = lora_rank_;
    return *Decoder<float>::make(file_->spec, file_->weights, lora, &compute);
  }
  void run(Collective& ranks, int thread_count, Outcome* outcome, std::int64_t steps = 10,
           const std::string& folder = "", bool resumes = false) const {
    base::ThreadPool threads(thread_count);
    Compute compute(threads);
    const auto made = decoder(compute);
    Trainer trainer(*made, data_, options_, compute, &ranks);
    ASSERT_TRUE(trainer.meet().ok());
    if (resumes) {
      ASSERT_TRUE(*trainer.resume(folder));
    }
    while (trainer.done() < steps) {
      const auto report = trainer.step();
      ASSERT_TRUE(report.ok()) << report.status();
      if (outcome == nullptr) continue;
      outcome->losses.push_back(report->loss.mean());
      outcome->norms.push_back(report->gradient_norm);
      outcome->tokens.push_back(report->tokens);
    }
    const auto valid = trainer.evaluate(data_);
    ASSERT_TRUE(valid.ok());
    if (!folder.empty() && !resumes) {
      ASSERT_TRUE(trainer.save(folder, 1).ok());
    }
    if (outcome == nullptr) return;
    outcome->valid = valid->mean();
    for (const auto& parameter : made->parameters().all())
      outcome->weights.push_back(parameter.value);
  }
  // As rank `seen` has it.
  Outcome outcome_of(int count, int threads = 1, int seen = 0) const {
    Outcome outcome;
    on_ranks(count, [&](Collective& ranks) {
      run(ranks, threads, ranks.place().rank == seen ? &outcome : nullptr);
    });
    return outcome;
  }
  static void expect_near(const Outcome& one, const Outcome& other) {
    ASSERT_EQ(one.losses.size(), other.losses.size());
    EXPECT_EQ(one.tokens, other.tokens);
    for (std::size_t i = 0; i < one.losses.size(); ++i) {
      EXPECT_NEAR(one.losses[i], other.losses[i], 1e-5 * std::abs(one.losses[i])) << i;
      EXPECT_NEAR(one.norms[i], other.norms[i], 1e-4 * one.norms[i]) << i;
    }
    EXPECT_NEAR(one.valid, other.valid, 1e-5 * std::abs(one.valid));
    ASSERT_EQ(one.weights.size(), other.weights.size());
    for (std::size_t p = 0; p < one.weights.size(); ++p) {
      double distance = 0, norm = 0;
      for (std::size_t i = 0; i < one.weights[p].size(); ++i) {
        const double a = one.weights[p][i], b = other.weights[p][i];
        distance += (a - b) * (a - b);
        norm += a * a;
      }
      EXPECT_LE(std::sqrt(distance), 1e-5 * std::sqrt(norm)) << "parameter " << p;
    }
  }
  static void expect_equal(const Outcome& one, const Outcome& other) {
    EXPECT_EQ(one.losses, other.losses);
    EXPECT_EQ(one.norms, other.norms);
    EXPECT_EQ(one.valid, other.valid);
    EXPECT_TRUE(one.weights == other.weights);
  }

  std::unique_ptr<model::ModelFile> file_;
  Dataset data_;
  TrainerOptions options_;
  std::int64_t lora_rank_ = 0;
};

TEST_F(RanksTest, AgreeWithOneProcess) {
  for (const std::int64_t rank : {0, 4}) {
    lora_rank_ = rank;
    const auto one = outcome_of(1);
    expect_near(one, outcome_of(2));
    expect_near(one, outcome_of(4));
  }
}

TEST_F(RanksTest, WithMuonAndShortMoments) {
  options_.muon = true;
  expect_near(outcome_of(1), outcome_of(3));
  options_.adamw.short_moments = true;
  expect_equal(outcome_of(2), outcome_of(2, 3, 1));
}

TEST_F(RanksTest, OfPreferencesToo) {
  use_preferences();
  for (const auto method : {Method::dpo, Method::orpo}) {
    options_.objective.method = method;
    expect_near(outcome_of(1), outcome_of(2));
  }
}

TEST_F(RanksTest, TheSameBitsEveryTimeForAnyNumberOfThreadsAtEveryRank) {
  const auto once = outcome_of(3);
  expect_equal(once, outcome_of(3));
  expect_equal(once, outcome_of(3, 3));
  expect_equal(once, outcome_of(3, 2, 2));
  options_.recompute = Recompute::none;
  expect_equal(once, outcome_of(3));
  options_.recompute = Recompute::full;
  expect_equal(once, outcome_of(3));
}

TEST_F(RanksTest, GoOnFromACheckpointToTheBit) {
  const auto folder = testing::TempDir() + "ranks_checkpoint";
  std::filesystem::remove_all(folder);
  on_ranks(2, [&](Collective& ranks) { run(ranks, 1, nullptr, 6, folder); });
  const auto whole = outcome_of(2);
  Outcome resumed;
  on_ranks(2, [&](Collective& ranks) {
    run(ranks, 1, ranks.place().rank == 1 ? &resumed : nullptr, 10, folder, true);
  });
  EXPECT_TRUE(whole.weights == resumed.weights);
  // Of another number of ranks: the same checkpoint, and nearly the same weights.
  for (const int count : {1, 3}) {
    Outcome other;
    on_ranks(count, [&](Collective& ranks) {
      run(ranks, 1, ranks.place().rank == 0 ? &other : nullptr, 10, folder, true);
    });
    other.losses.insert(other.losses.begin(), whole.losses.begin(), whole.losses.begin() + 6);
    other.norms.insert(other.norms.begin(), whole.norms.begin(), whole.norms.begin() + 6);
    other.tokens.insert(other.tokens.begin(), whole.tokens.begin(), whole.tokens.begin() + 6);
    expect_near(whole, other);
  }
  std::filesystem::remove_all(folder);
}

TEST_F(RanksTest, GoOnWithMuonShortMomentsAndTheGuardToTheBit) {
  options_.muon = options_.adamw.short_moments = options_.spike_guard.on = true;
  options_.spike_guard = {true, 4, 2, 0.1};  // nervous: some steps are skipped
  const auto folder = testing::TempDir() + "ranks_muon_checkpoint";
  for (const int count : {1, 2}) {
    std::filesystem::remove_all(folder);
    on_ranks(count, [&](Collective& ranks) { run(ranks, 1, nullptr, 6, folder); });
    const auto whole = outcome_of(count);
    Outcome resumed;
    on_ranks(count, [&](Collective& ranks) {
      run(ranks, 1, ranks.place().rank == 0 ? &resumed : nullptr, 10, folder, true);
    });
    EXPECT_TRUE(whole.weights == resumed.weights) << count;
    options_.spike_guard.on = false;
    EXPECT_FALSE(whole.weights == outcome_of(count).weights) << "no step was skipped";
    options_.spike_guard.on = true;
  }
  std::filesystem::remove_all(folder);
}

TEST_F(RanksTest, KeepMomentsOfTheirOwnStretchesAlone) {
  base::ThreadPool threads(1);
  Compute compute(threads);
  const auto made = decoder(compute);
  std::size_t all = 0, kept = 0;
  for (const auto& parameter : made->parameters().all()) all += parameter.grad.size();
  for (int rank = 0; rank < 4; ++rank) {
    AdamW<float> optimizer(made->parameters(), {}, {rank, 4});
    std::size_t own = 0;
    for (const auto& moments : optimizer.moments()) own += moments.first.size();
    EXPECT_LT(own, all * 26 / 100);
    kept += own;
  }
  EXPECT_EQ(kept, all);
}

TEST_F(RanksTest, StopTogetherWhereNumbersEnd) {
  on_ranks(2, [&](Collective& ranks) {
    base::ThreadPool threads(1);
    Compute compute(threads);
    const auto made = decoder(compute);
    Trainer trainer(*made, data_, options_, compute, &ranks);
    // What one rank alone has seen.
    if (ranks.place().rank == 1)
      made->parameters().find("layers.0.up")->value[3] = std::numeric_limits<float>::quiet_NaN();
    const auto status = trainer.step().status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_EQ(trainer.done(), 0);
  });
}

TEST_F(RanksTest, RefuseToTrainDifferentThings) {
  on_ranks(2, [&](Collective& ranks) {
    auto options = options_;
    options.seed += static_cast<std::uint64_t>(ranks.place().rank);
    base::ThreadPool threads(1);
    Compute compute(threads);
    const auto made = decoder(compute);
    Trainer trainer(*made, data_, options, compute, &ranks);
    EXPECT_EQ(base::message(trainer.meet()), "rank 1: its seed is 2, and rank 0's is 1");
  });
}

}  // namespace
}  // namespace plinth::train
