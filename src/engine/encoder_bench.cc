// Tokens per second of all-MiniLM-L6-v2's shape: 256 inputs of 64 tokens, as docs/PERFORMANCE.md
// quotes it. The weights are the real ones where PLINTH_TEST_MODELS has them; without, a tiny model
// keeps the benchmark from rotting.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/encoder_runner.h"
#include "tests/support/source_dir.h"

namespace plinth::engine {
namespace {

void embed(benchmark::State& state, tensor::LinearMode mode) {
  const char* models = std::getenv("PLINTH_TEST_MODELS");
  const std::string folder = models != nullptr ? std::string(models) + "/minilm"
                                               : source_dir() + "/tests/golden/encoder/roberta_max";
  auto file = model::open_encoder(folder);
  if (!file.ok()) {
    state.SkipWithError(std::string(base::message(file.status())).c_str());
    return;
  }
  const auto vocab = (*file)->spec.vocab;
  const auto length = std::min(64, (*file)->spec.context);
  const auto inputs = static_cast<std::size_t>(state.range(1));
  const auto runner = make_encoder_runner(
      *std::move(file), {static_cast<int>(state.range(0)), tensor::best_isa(), mode});
  if (!runner.ok()) {
    state.SkipWithError(std::string(base::message(runner.status())).c_str());
    return;
  }
  std::vector<std::vector<std::int32_t>> sequences(inputs);
  for (std::size_t i = 0; i < inputs; ++i) {
    for (int t = 0; t < length; ++t) {
      sequences[i].push_back(static_cast<std::int32_t>((i * 7919 + t * 104729 + 5) % vocab));
    }
  }
  std::vector<float> out;
  for (auto _ : state) {
    const auto status = (*runner)->embed(sequences, out);
    if (!status.ok()) state.SkipWithError("embed failed");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetLabel(std::string(tensor::isa_name(tensor::best_isa())));
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(inputs) * length,
                                                  benchmark::Counter::kIsIterationInvariantRate);
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"threads", "inputs"})->UseRealTime()->Unit(benchmark::kMillisecond);
  bench->Args({1, 256})->Args({2, 256})->Args({2, 1});
}

BENCHMARK_CAPTURE(embed, fast, tensor::LinearMode::fast)->Apply(shapes);
BENCHMARK_CAPTURE(embed, exact, tensor::LinearMode::exact)->Apply(shapes);

}  // namespace
}  // namespace plinth::engine
