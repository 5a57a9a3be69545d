// What a token costs in the engine outside the model.
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <vector>

#include "engine/sample/sampler.h"
#include "engine/sched/scheduler.h"

namespace plinth::engine {

namespace {

constexpr int kRepeats = 200;

// A step of 64 sequences that decode, and its commit.
std::function<void()> scheduler_step() {
  constexpr int kSequences = 64, kPrompt = 100;
  SchedulerOptions options;
  options.step_tokens_max = kSequences * kPrompt;
  auto scheduler = std::make_shared<Scheduler>(kSequences * 64, options);
  auto sequences = std::make_shared<std::vector<Sequence>>(kSequences);
  for (int i = 0; i < kSequences; ++i) {
    auto& sequence = (*sequences)[static_cast<std::size_t>(i)];
    for (int t = 0; t < kPrompt; ++t) sequence.tokens.push_back(i * kPrompt + t);
    sequence.prompt_tokens = kPrompt;
    scheduler->add(sequence);
  }
  const auto step = [scheduler, sequences] {
    for (const auto& chunk : scheduler->plan()) {
      scheduler->commit(chunk);
      chunk.sequence->tokens.push_back(7);
    }
  };
  step();
  return step;
}

// One draw over the logits of a small model.
std::function<void()> draw(const protocol::SamplingParams& params) {
  constexpr std::size_t kVocab = 49152;
  auto logits = std::make_shared<std::vector<float>>(kVocab);
  std::uint32_t state = 1;
  for (float& logit : *logits) {
    state = state * 1664525 + 1013904223;
    logit = static_cast<float>(state >> 8) / (1 << 20);
  }
  auto sampler = std::make_shared<Sampler>();
  return [=] { (void)sampler->sample(params, *logits, {}, 0.5); };
}

}  // namespace

// A name that callgrind can be told: it counts what happens in here (tests/instructions).
extern "C" __attribute__((noinline)) void gate(const std::function<void()>& body) { body(); }

namespace {

void repeat(benchmark::State& state, const std::function<void()>& body) {
  for (auto _ : state) gate(body);
}

void greedy(benchmark::State& state) {
  protocol::SamplingParams params;
  params.temperature = 0;
  repeat(state, draw(params));
}
void top_p(benchmark::State& state) {
  protocol::SamplingParams params;
  params.temperature = 0.7;
  params.top_p = 0.9;
  repeat(state, draw(params));
}
BENCHMARK_CAPTURE(repeat, scheduler_step_64, scheduler_step())->Iterations(kRepeats);
BENCHMARK(greedy)->Name("repeat/sampler_greedy")->Iterations(kRepeats);
BENCHMARK(top_p)->Name("repeat/sampler_top_p")->Iterations(kRepeats);

}  // namespace

}  // namespace plinth::engine
