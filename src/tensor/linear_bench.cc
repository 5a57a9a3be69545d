// One matrix of SmolLM2-135M's shapes, by instruction set and tokens: time, int8 operations and
// weight bytes per second. Speed does not depend on the values of the weights.
#include "tensor/linear.h"

#include <benchmark/benchmark.h>

#include <random>

namespace plinth::tensor {
namespace {

void multiply(benchmark::State& state, DType dtype, std::int64_t rows, std::int64_t columns) {
  const auto isa = static_cast<Isa>(state.range(0));
  const int m = static_cast<int>(state.range(1));
  if (isa > best_isa()) {
    state.SkipWithError("this machine lacks the instruction set");
    return;
  }
  std::mt19937 random(1);
  // 0x2c in every byte keeps each type's fp16 scales small and finite.
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(rows) * row_bytes(dtype, columns), 0x2c);
  const MatrixView view{bytes.data(), dtype, rows, columns};
  const auto linear = pack_linear({&view, 1}, {isa, LinearMode::fast});
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(m * columns));
  for (float& value : x) value = normal(random);
  std::vector<float> y(static_cast<std::size_t>(m * rows));
  base::ThreadPool pool(static_cast<int>(state.range(2)));
  Activations activations;
  for (auto _ : state) {
    (*linear)->prepare(x.data(), columns, m, activations, pool);
    (*linear)->multiply(activations, m, y.data(), rows, pool);
    benchmark::DoNotOptimize(y.data());
  }
  state.SetLabel(std::string(isa_name(isa)));
  state.counters["ops"] = benchmark::Counter(2.0 * static_cast<double>(m * rows * columns),
                                             benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>((*linear)->bytes()));
}

void hot_shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"isa", "m", "threads"})->UseRealTime();
  for (int isa = 1; isa <= 3; ++isa) {
    for (int m : {1, 8, 32, 128, 512}) bench->Args({isa, m, 1});
    bench->Args({isa, 512, 2});
  }
}

BENCHMARK_CAPTURE(multiply, q4_1_ff_up, DType::q4_1, 1536, 576)->Apply(hot_shapes);
BENCHMARK_CAPTURE(multiply, q4_1_ff_down, DType::q4_1, 576, 1536)->Apply(hot_shapes);
BENCHMARK_CAPTURE(multiply, q8_0_head, DType::q8_0, 49152, 576)
    ->ArgNames({"isa", "m", "threads"})
    ->Args({1, 1, 2})
    ->Args({2, 1, 2})
    ->Args({3, 1, 2})
    ->UseRealTime();

}  // namespace
}  // namespace plinth::tensor
