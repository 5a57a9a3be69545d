// A draw from 49,152 logits, the vocabulary of the default model. To be compared with a decode
// step, which takes several milliseconds there.
#include "engine/sample/sampler.h"

#include <benchmark/benchmark.h>

#include <random>

#include "engine/sample/logprobs.h"
#include "engine/sample/softmax.h"

namespace plinth::engine {
namespace {

// Logits of a language model's shape: a few tokens stand out of a broad normal distribution.
std::vector<float> logits() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 2.5f);
  std::vector<float> row(49'152);
  for (auto& value : row) value = normal(random);
  for (int i = 0; i < 40; ++i) row[static_cast<std::size_t>(i * 1000)] += 8.0f;
  return row;
}

void run(benchmark::State& state, const protocol::SamplingParams& params) {
  const auto row = logits();
  Sampler sampler;
  TokenCounts counts;
  for (int i = 0; i < 500; ++i) ++counts.output[i * 90];
  double uniform = 0.0;
  for (auto _ : state) {
    uniform = uniform > 0.98 ? 0.0 : uniform + 0.013;
    benchmark::DoNotOptimize(sampler.sample(params, row, counts, uniform));
  }
}

void BM_SampleGreedy(benchmark::State& state) {
  protocol::SamplingParams params;
  params.temperature = 0;
  run(state, params);
}
BENCHMARK(BM_SampleGreedy);

void BM_SamplePlain(benchmark::State& state) { run(state, {}); }
BENCHMARK(BM_SamplePlain);

void BM_SampleTopP(benchmark::State& state) {
  protocol::SamplingParams params;
  params.temperature = 0.7;
  params.top_p = 0.95;
  run(state, params);
}
BENCHMARK(BM_SampleTopP);

void BM_SampleEverything(benchmark::State& state) {
  protocol::SamplingParams params;
  params.temperature = 0.7;
  params.top_k = 200;
  params.top_p = 0.95;
  params.min_p = 0.01;
  params.typical_p = 0.9;
  params.presence_penalty = params.frequency_penalty = 0.5;
  params.repetition_penalty = 1.1;
  run(state, params);
}
BENCHMARK(BM_SampleEverything);

void BM_SampleTypical(benchmark::State& state) {
  protocol::SamplingParams params;
  params.typical_p = 0.9;
  run(state, params);
}
BENCHMARK(BM_SampleTypical);

void BM_Logprobs(benchmark::State& state) {
  const auto row = logits();
  for (auto _ : state) {
    benchmark::DoNotOptimize(position_logprobs(row, 3, static_cast<std::int32_t>(state.range(0))));
  }
}
BENCHMARK(BM_Logprobs)->Arg(0)->Arg(20);

void BM_AllFinite(benchmark::State& state) {
  const auto row = logits();
  for (auto _ : state) benchmark::DoNotOptimize(all_finite(row));
}
BENCHMARK(BM_AllFinite);

}  // namespace
}  // namespace plinth::engine
