#include "engine/sample/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/random.h"

namespace plinth::engine {
namespace {

using protocol::SamplingParams;

std::vector<float> logs(std::initializer_list<double> probabilities) {
  std::vector<float> out;
  for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p)));
  return out;
}

std::vector<double> frequencies(const SamplingParams& params, std::span<const float> logits,
                                std::uint64_t draws = 20'000, const TokenCounts& counts = {}) {
  Sampler sampler;
  std::vector<double> seen(logits.size());
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto token = sampler.sample(params, logits, counts, base::uniform_at(9, i));
    seen[static_cast<std::size_t>(token)] += 1.0 / static_cast<double>(draws);
  }
  return seen;
}

// The definitions, one after the other, with sorts and in fp64.
std::vector<std::pair<std::int32_t, double>> naive(const SamplingParams& params,
                                                   std::span<const float> logits,
                                                   const TokenCounts& counts) {
  struct Entry {
    std::int32_t token;
    double logit, p;
  };
  std::vector<Entry> all;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto token = static_cast<std::int32_t>(i);
    float logit = logits[i];
    const auto said = counts.output.find(token);
    if (params.repetition_penalty != 1.0 &&
        (counts.prompt.contains(token) || said != counts.output.end())) {
      const auto penalty = static_cast<float>(params.repetition_penalty);
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    if (said != counts.output.end()) {
      logit -=
          static_cast<float>(params.presence_penalty + params.frequency_penalty * said->second);
    }
    bool banned = false;
    for (const auto& [biased, bias] : params.logit_bias) {
      if (biased == token) {
        logit += bias;
        banned = banned || bias <= -100;
      }
    }
    if (!banned) all.push_back({token, logit, 0});
  }
  const auto by_logit = [](const Entry& a, const Entry& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  const auto normalise = [&] {
    double sum = 0;
    for (const auto& e : all) sum += e.p;
    for (auto& e : all) e.p /= sum;
  };
  const auto keep = [&](double mass) {
    double sum = 0;
    std::size_t kept = 0;
    while (kept < all.size() && sum < mass) sum += all[kept++].p;
    all.resize(std::max<std::size_t>(kept, 1));
    normalise();
  };
  std::sort(all.begin(), all.end(), by_logit);
  for (auto& e : all) e.p = std::exp((e.logit - all[0].logit) / params.temperature);
  normalise();
  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < all.size()) {
    all.resize(static_cast<std::size_t>(params.top_k));
    normalise();
  }
  if (params.typical_p < 1) {
    double entropy = 0;
    for (const auto& e : all) entropy -= e.p > 0 ? e.p * std::log(e.p) : 0;
    std::sort(all.begin(), all.end(), [&](const Entry& a, const Entry& b) {
      const double x = std::fabs(-std::log(a.p) - entropy), y = std::fabs(-std::log(b.p) - entropy);
      return x != y ? x < y : by_logit(a, b);
    });
    keep(params.typical_p);
  }
  std::sort(all.begin(), all.end(), by_logit);
  if (params.top_p < 1) keep(params.top_p);
  std::erase_if(all, [&](const Entry& e) { return e.p < params.min_p * all[0].p; });
  normalise();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.token < b.token; });
  std::vector<std::pair<std::int32_t, double>> out;
  out.reserve(all.size());
  for (const auto& e : all) out.emplace_back(e.token, e.p);
  return out;
}

TEST(Sampler, AgreesWithTheDefinitionsOverRandomSettings) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 3);
  const auto chance = [&] { return random() % 2 == 0; };
  const auto real = [&](double a, double b) {
    return a + (b - a) * static_cast<double>(random() % 10'000) / 10'000;
  };
  Sampler sampler;
  for (int round = 0; round < 1500; ++round) {
    std::vector<float> logits(2 + random() % 400);
    for (auto& l : logits) l = normal(random);
    if (round % 7 == 0) std::fill(logits.begin(), logits.begin() + 2, 9.0f);  // ties
    SamplingParams params;
    params.temperature = real(0.05, 2);
    if (chance()) params.top_k = static_cast<std::int32_t>(1 + random() % 100);
    if (chance()) params.top_p = real(0.01, 0.999);
    if (chance()) params.min_p = real(0, 0.5);
    if (round % 3 == 0) params.typical_p = real(0.05, 0.99);
    if (chance()) params.presence_penalty = real(-2, 2);
    if (chance()) params.frequency_penalty = real(-2, 2);
    if (chance()) params.repetition_penalty = real(0.5, 2);
    TokenCounts counts;
    for (int i = 0; i < 20; ++i) {
      ++counts.prompt[static_cast<std::int32_t>(random() % logits.size())];
      ++counts.output[static_cast<std::int32_t>(random() % logits.size())];
    }
    if (chance()) params.logit_bias = {{0, -100.0f}, {1, 2.5f}};
    const auto expected = naive(params, logits, counts);
    for (const double uniform : {0.0, real(0, 1), real(0, 1), 1.0 - 0x1.0p-53}) {
      const auto token = sampler.sample(params, logits, counts, uniform);
      double below = 0;
      auto it = expected.begin();
      while (it != expected.end() && it->first != token) below += (it++)->second;
      ASSERT_NE(it, expected.end()) << "round " << round << ": " << token << " was filtered out";
      EXPECT_LE(below, uniform + 1e-5) << "round " << round;
      EXPECT_GE(below + it->second, uniform - 1e-5) << "round " << round;
    }
  }
}

// Pearson's chi-square with 49 degrees of freedom is below 85.4 in 999 of 1000.
TEST(Sampler, DrawsFollowTheDistribution) {
  std::vector<float> logits(50);
  for (int i = 0; i < 50; ++i) {
    logits[static_cast<std::size_t>(i)] = static_cast<float>(i * 37 % 50) * 0.05f;
  }
  constexpr std::uint64_t kDraws = 40'000;
  const auto seen = frequencies({}, logits, kDraws);
  double chi_square = 0;
  for (const auto& [token, p] : naive({}, logits, {})) {
    const double d = (seen[static_cast<std::size_t>(token)] - p) * kDraws;
    chi_square += d * d / (p * kDraws);
  }
  EXPECT_LT(chi_square, 85.4);
  EXPECT_GT(chi_square, 23.0) << "too regular to be random";
}

TEST(Sampler, TemperatureSharpensAndZeroIsTheLowestOfTheBest) {
  const auto logits = logs({0.2, 0.4, 0.4});
  SamplingParams params;
  params.temperature = 0.5;
  EXPECT_NEAR(frequencies(params, logits)[0], 0.04 / 0.36, 0.01);
  params.temperature = 0;
  EXPECT_EQ(Sampler().sample(params, logits, {}, 0.99), 1);
  params.temperature = 1e-300;
  EXPECT_EQ(Sampler().sample(params, logits, {}, 0.99), 1);
}

TEST(Sampler, FiltersKeepWhatTheirDefinitionsSay) {
  const auto logits = logs({0.5, 0.3, 0.15, 0.05});
  SamplingParams params;
  params.top_p = 0.75;
  auto f = frequencies(params, logits);
  EXPECT_NEAR(f[0], 0.625, 0.015);
  EXPECT_EQ(f[2], 0);
  params = {};
  params.top_p = 0;
  EXPECT_NEAR(frequencies(params, logits, 100)[0], 1, 1e-9) << "one token at least";
  params = {};
  params.top_k = 3;
  params.min_p = 0.5;
  f = frequencies(params, logits);
  EXPECT_NEAR(f[1], 0.375, 0.015);
  EXPECT_EQ(f[2], 0);
  params = {};
  params.typical_p = 0.2;
  // The entropy is 1.14 nats; 0.3 carries 1.20 and is nearest, before the best at 0.69.
  EXPECT_NEAR(frequencies(params, logits)[1], 1, 1e-9);
}

TEST(Sampler, ABiasOfMinusAHundredBansWhateverTheLogit) {
  const std::vector<float> logits = {500.0f, 0.0f, 1.0f};
  SamplingParams params;
  params.logit_bias = {{0, -100.0f}};
  EXPECT_EQ(frequencies(params, logits, 2000)[0], 0);
  params.temperature = 0;
  EXPECT_EQ(Sampler().sample(params, logits, {}, 0), 2);
  params.logit_bias = {{0, -99.0f}};
  EXPECT_EQ(Sampler().sample(params, logits, {}, 0), 0) << "-99 is a bias like another";
}

TEST(Sampler, PenaltiesActOnWhatWasSaid) {
  const std::vector<float> logits = {2.0f, 1.9f};
  SamplingParams params;
  params.temperature = 0;
  const auto best = [&](const TokenCounts& counts) {
    return Sampler().sample(params, logits, counts, 0);
  };
  TokenCounts said_once, said_thrice, asked;
  said_once.output[0] = 1;
  said_thrice.output[0] = 3;
  asked.prompt[0] = 5;
  params.frequency_penalty = 0.04;
  EXPECT_EQ(best({}), 0);
  EXPECT_EQ(best(said_once), 0);
  EXPECT_EQ(best(said_thrice), 1) << "grows with the count";
  params.frequency_penalty = 0;
  params.presence_penalty = 0.2;
  EXPECT_EQ(best(said_once), 1);
  EXPECT_EQ(best(asked), 0) << "the prompt is no output";
  params.presence_penalty = 0;
  params.repetition_penalty = 1.2;
  EXPECT_EQ(best(asked), 1);
}

TEST(Sampler, AVocabularyOfExtremesDrawsWhatCanBe) {
  const std::vector<float> logits = {-3e38f, 3e38f, 0.0f, -3e38f};
  for (const double temperature : {0.0, 1e-4, 1.0, 2.0}) {
    SamplingParams params;
    params.temperature = temperature;
    for (const double uniform : {0.0, 0.5, 1.0 - 0x1.0p-53}) {
      EXPECT_EQ(Sampler().sample(params, logits, {}, uniform), 1);
      params.top_p = 0.9;
      EXPECT_EQ(Sampler().sample(params, logits, {}, uniform), 1);
    }
  }
}

}  // namespace
}  // namespace plinth::engine
