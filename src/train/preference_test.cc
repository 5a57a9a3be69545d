// Losses of pairs against differences, against PyTorch (tests/golden/preference, which
// tools/fixtures/make_preference_fixtures.py makes), and as a run.
#include "train/preference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <numbers>

#include "base/file.h"
#include "model/model_file.h"
#include "tests/support/source_dir.h"
#include "train/testing/tiny_model.h"
#include "train/trainer.h"

namespace plinth::train {
namespace {

const std::string kGolden = source_dir() + "/tests/golden/";
constexpr Method kMethods[] = {Method::dpo, Method::ipo, Method::orpo};

TEST(PairLoss, SlopesAreThoseOfTheLoss) {
  for (const auto method : kMethods) {
    for (const double preferred : {-30.0, -7.0, -0.2}) {
      for (const double other : {-40.0, -6.5, -0.1}) {
        const PreferenceOptions options{0.3, method == Method::dpo ? 0.1 : 0};
        const auto at = [&](double a, double b) {
          return pair_loss(method, options, {a, -8, 7}, {b, -9, 3});
        };
        const auto pair = at(preferred, other);
        constexpr double kStep = 1e-6;
        const double slope =
            (at(preferred + kStep, other).loss - at(preferred - kStep, other).loss) / (2 * kStep);
        const double other_slope =
            (at(preferred, other + kStep).loss - at(preferred, other - kStep).loss) / (2 * kStep);
        EXPECT_NEAR(pair.preferred_slope, slope, 1e-6 * std::max(1.0, std::abs(slope)));
        EXPECT_NEAR(pair.other_slope, other_slope, 1e-6 * std::max(1.0, std::abs(other_slope)));
      }
    }
  }
}

TEST(PairLoss, BeginsAtWhatTheFormulasSay) {
  const AnswerScore a{-8, -8, 7}, b{-3, -3, 2};
  EXPECT_EQ(pair_loss(Method::dpo, {0.7, 0}, a, b).loss, std::numbers::ln2);
  EXPECT_EQ(pair_loss(Method::dpo, {0.7, 0}, a, b).margin, 0);
  EXPECT_DOUBLE_EQ(pair_loss(Method::ipo, {0.25, 0}, a, b).loss, 4);
  // What is certain has no odds, and still a loss.
  const auto certain = pair_loss(Method::orpo, {0.1, 0}, {0, 0, 4}, {0, 0, 4});
  EXPECT_TRUE(std::isfinite(certain.loss) && std::isfinite(certain.preferred_slope));
}

// Of the golden file: each pair's preferred answer and the other.
Dataset golden_pairs(const base::json::value& golden) {
  const auto sequences =
      *base::parse_json(*base::read_file(kGolden + "architecture/llama/sequences.json", 1 << 20));
  std::vector<std::int32_t> tokens;
  for (const auto& token : sequences.at(0).as_array())
    tokens.push_back(static_cast<std::int32_t>(token.as_int64()));
  const auto stretch = [&](const base::json::value& place) {
    const auto begin = tokens.begin() + place.at(0).as_int64();
    return std::vector<std::int32_t>(begin, begin + place.at(1).as_int64());
  };
  std::vector<Example> examples;
  for (const auto& pair : golden.at("pairs").as_array()) {
    for (const auto* side : {"preferred", "other"}) {
      auto& example = examples.emplace_back();
      example.append(stretch(pair.at("prompt")), false);
      example.append(stretch(pair.at(side)), true);
    }
  }
  return Dataset::of(std::move(examples), true);
}

TEST(Preference, GradientsAndLossesAreThoseOfPyTorch) {
  const auto golden =
      *base::parse_json(*base::read_file(kGolden + "preference/llama.json", 1 << 20));
  const auto bytes = *base::read_file(kGolden + "preference/llama.f32", 1 << 20);
  std::vector<float> expected(bytes.size() / sizeof(float));
  std::memcpy(expected.data(), bytes.data(), bytes.size());
  const auto data = golden_pairs(golden);
  const auto file = *model::open_model(kGolden + "architecture/llama");
  for (const auto method : kMethods) {
    const auto& run = golden.at("methods").at(method_name(method));
    const auto decoder = *Decoder<float>::make(file->spec, file->weights, {});
    base::ThreadPool threads(2);
    Compute compute(threads);
    TrainerOptions options;
    options.objective = {method,
                         {run.at("beta").as_double(), run.at("label_smoothing").as_double()}};
    options.epochs = 5;
    options.clip_norm = 0;
    options.schedule = {2e-4, 0, 0, Decay::constant};
    Trainer trainer(*decoder, data, options, compute);
    for (std::size_t step = 0; step < 5; ++step) {
      const auto report = trainer.step();
      ASSERT_TRUE(report.ok()) << report.status();
      const double loss = run.at("losses").at(step).as_double();
      // A loss near 0 is the difference of sums of tens of nats.
      EXPECT_NEAR(report->loss.mean(), loss, 3e-5 * std::max(1.0, loss))
          << method_name(method) << step;
      if (step != 1) continue;
      for (const auto& [name, at] : run.at("gradients").as_object()) {
        const auto& parameter = *decoder->parameters().find(std::string(name));
        const float* numbers = expected.data() + at.as_int64();
        double distance = 0;
        for (std::size_t i = 0; i < parameter.grad.size(); i += 7)
          distance += std::pow(static_cast<double>(parameter.grad[i] - numbers[i / 7]), 2);
        const double norm = run.at("norms").at(name).as_double();
        EXPECT_LT(std::sqrt(distance), 5e-5 * norm) << method_name(method) << " " << name;
      }
    }
  }
}

class PreferenceRun : public testing::Test {
 protected:
  void SetUp() override {
    file_ = tiny_model();
    std::vector<Example> examples;
    for (std::int32_t i = 0; i < 5; ++i) {
      for (const bool preferred : {true, false}) {
        auto& example = examples.emplace_back();
        example.append({1, 40 + i, 60}, false);
        // Of different lengths.
        for (std::int32_t t = 0; t < (preferred ? 2 + i : 6 - i); ++t)
          example.append({(preferred ? 100 : 200) + 7 * t + i}, true);
      }
    }
    data_ = Dataset::of(std::move(examples), true);
    options_.objective.method = Method::dpo;
    options_.batch_size = 3;
    options_.schedule.rate = 1e-3;
  }
  std::unique_ptr<Decoder<float>> decoder(std::int64_t rank) const {
    LoraOptions lora;
    lora.rank = rank;
    return *Decoder<float>::make(file_->spec, file_->weights, lora);
  }
  static std::vector<float> weights(const Decoder<float>& decoder) {
    std::vector<float> all;
    for (const auto& parameter : decoder.parameters().all())
      all.insert(all.end(), parameter.value.begin(), parameter.value.end());
    return all;
  }
  std::vector<float> weights_after(int thread_count) {
    const auto made = decoder(2);
    base::ThreadPool threads(thread_count);
    Compute compute(threads);
    Trainer trainer(*made, data_, options_, compute);
    while (trainer.done() < trainer.steps()) EXPECT_TRUE(trainer.step().ok());
    return weights(*made);
  }

  std::unique_ptr<model::ModelFile> file_;
  Dataset data_;
  TrainerOptions options_;
};

TEST_F(PreferenceRun, BeginsAtLn2AndLearnsToPrefer) {
  for (const std::int64_t rank : {0, 4}) {
    const auto made = decoder(rank);
    base::ThreadPool threads(2);
    Compute compute(threads);
    options_.epochs = 20;
    Trainer trainer(*made, data_, options_, compute);
    EXPECT_EQ(trainer.steps(), 40);
    const auto first = *trainer.step();
    // Whatever else is in the pass, the same bits as when the reference was taken.
    EXPECT_EQ(first.loss.mean(), std::numbers::ln2) << rank;
    EXPECT_EQ(first.loss.margin, 0) << rank;
    while (trainer.done() < trainer.steps()) ASSERT_TRUE(trainer.step().ok());
    const auto after = *trainer.evaluate(data_);
    EXPECT_EQ(after.correct, 5);
    EXPECT_LT(after.mean(), 0.5) << rank;
    EXPECT_GT(after.margin, 1) << rank;
  }
}

TEST_F(PreferenceRun, BitsDependOnNoThreadsAndPassesHardlyMatter) {
  for (const auto method : kMethods) {
    options_.objective.method = method;
    options_.adamw.epsilon = 1e-4;  // else the sign of a gradient near 0 is a whole step
    options_.pass_tokens = 2048;
    const auto expected = weights_after(1);
    EXPECT_TRUE(expected == weights_after(3));
    options_.pass_tokens = 1;  // a pair at a time
    const auto apart = weights_after(2);
    double most = 0;
    for (std::size_t i = 0; i < apart.size(); ++i)
      most = std::max(most, static_cast<double>(std::abs(apart[i] - expected[i])));
    EXPECT_LT(most, 1e-5) << method_name(method);
  }
}

TEST_F(PreferenceRun, GoesOnToTheSameBits) {
  std::string folder = testing::TempDir() + "preference_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  for (const std::int64_t rank : {0, 2}) {
    base::ThreadPool threads(2);
    Compute compute(threads);
    const auto whole = decoder(rank);
    Trainer trainer(*whole, data_, options_, compute);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(trainer.step().ok());
    ASSERT_TRUE(trainer.save(folder, 1).ok());
    const auto valid = *trainer.evaluate(data_);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(trainer.step().ok());
    const auto other = decoder(rank);
    const auto data = data_;
    Trainer second(*other, data_, options_, compute);
    second.prepare(data);  // by the model as it began
    ASSERT_TRUE(*second.resume(folder));
    EXPECT_EQ(second.evaluate(data)->sum, valid.sum);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(second.step().ok());
    EXPECT_TRUE(weights(*other) == weights(*whole)) << rank;
    options_.objective.preference.beta = 0.2;
    const auto third = decoder(rank);
    EXPECT_FALSE(Trainer(*third, data_, options_, compute).resume(folder).ok());
    options_.objective.preference.beta = 0.1;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace plinth::train
