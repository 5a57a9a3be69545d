// The products of training: GPT-2 124M and SmolLM2-135M with 2,048 tokens, in the three forms of a
// linear layer. `share` is the fastest repetition's of what the same threads do at best in the
// instruction alone, measured just before: fused multiply-adds, or tiles of BF16 (VDPBF16PS is held
// against the former too).
#include "tensor/gemm.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "tensor/huge_allocator.h"
#include "tensor/x86/ceiling_kernels.h"

namespace plinth::tensor {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kTokens = 2048;
constexpr int kThreads = 2;

enum class Form : std::uint8_t { y, dx, dw, y_packed };

struct Layer {
  const char* name;
  std::int64_t in, out;
};

constexpr Layer kLayers[] = {{"gpt2/qkv", 768, 2304},   {"gpt2/o", 768, 768},
                             {"gpt2/up", 768, 3072},    {"gpt2/down", 3072, 768},
                             {"smollm2/qkv", 576, 960}, {"smollm2/o", 576, 576},
                             {"smollm2/up", 576, 1536}, {"smollm2/down", 1536, 576}};
constexpr Layer kHeads[] = {{"gpt2/head", 768, 50257}, {"smollm2/head", 576, 49152}};

const char* form_name(Form form) {
  switch (form) {
    case Form::y:
      return "y_nt";
    case Form::dx:
      return "dx_nn";
    case Form::dw:
      return "dw_tn";
    case Form::y_packed:
      return "y_nt_packed";
  }
  return "";
}

ArithmeticLoop ceiling_loop(Isa isa, GemmPrecision precision) {
  if (precision == GemmPrecision::bf16) {
    if (isa == Isa::amx) return bf16_amx;
    if (multiplies_bfloat(isa)) return bf16_avx512;
  }
  return isa == Isa::avx2 ? fma_avx2 : fma_avx512;
}

// The best of some runs: operations per second of all threads.
double ceiling(ArithmeticLoop loop, base::ThreadPool& pool) {
  constexpr std::int64_t kRounds = 200'000;
  double best = 0;
  for (int run = 0; run < 20; ++run) {
    const auto begin = Clock::now();
    pool.run([&](int) {
      std::int64_t sink = 0;
      loop(kRounds, &sink);
      benchmark::DoNotOptimize(sink);
    });
    std::int64_t sink = 0;
    const double one = loop(1, &sink);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::max(best, one * kRounds * pool.size() / seconds);
  }
  return best;
}

// Numbers of some thousand repeat: making all of them would take longer than multiplying.
HugeFloats random_floats(std::int64_t count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  float some[4099];
  for (float& value : some) value = uniform(random);
  HugeFloats made(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < made.size(); ++i) made[i] = some[i % std::size(some)];
  return made;
}

Gemm product_of(const Layer& layer, Form form, const float* x, const float* w, const float* dy) {
  Gemm product;
  const GemmOperand of_x{x, layer.in}, of_w{w, layer.in}, of_dy{dy, layer.out};
  if (form == Form::dx) {
    product = {kTokens, layer.in, layer.out, of_dy, of_w};
  } else if (form == Form::dw) {
    product = {layer.out, layer.in, kTokens, of_dy, of_x};
    product.a.transposed = product.accumulate = true;
  } else {
    product = {kTokens, layer.out, layer.in, of_x, of_w};
    product.b.transposed = true;
  }
  product.ldc = product.n;
  return product;
}

void multiply(benchmark::State& state, const Layer& layer, Form form, GemmPrecision precision,
              Isa isa) {
  base::ThreadPool pool(kThreads);
  const auto x = random_floats(kTokens * layer.in), w = random_floats(layer.out * layer.in);
  const bool backward = form == Form::dx || form == Form::dw;
  const auto dy = random_floats(backward ? kTokens * layer.out : 0);
  Gemm product = product_of(layer, form, x.data(), w.data(), dy.data());
  HugeFloats c(static_cast<std::size_t>(product.m * product.n));
  product.c = c.data();
  auto packed = PackedOperand::pack(product.b, product.k, form == Form::y_packed ? product.n : 0,
                                    precision, isa, pool);
  if (form == Form::y_packed) product.packed_b = &packed;
  GemmWorkspace workspace;
  gemm(product, precision, isa, workspace, pool);
  const double most = ceiling(ceiling_loop(isa, precision), pool);
  const double operations = 2.0 * static_cast<double>(product.m * product.n * product.k);
  double seconds = 1e9;
  for (auto _ : state) {
    const auto begin = Clock::now();
    gemm(product, precision, isa, workspace, pool);
    seconds = std::min(seconds, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  state.counters["flops"] = operations / seconds;
  state.counters["ceiling"] = most;
  state.counters["share"] = operations / seconds / most;
}

void add(const Layer& layer, Form form, GemmPrecision precision, Isa isa) {
  const std::string name = std::string("gemm/") + std::string(isa_name(isa)) +
                           (precision == GemmPrecision::bf16 ? "/bf16/" : "/f32/") + layer.name +
                           "/" + form_name(form);
  benchmark::RegisterBenchmark(name.c_str(),
                               [&layer, form, precision, isa](benchmark::State& s) {
                                 multiply(s, layer, form, precision, isa);
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

// Everything in the best set, and some of it in the others.
void add_all(GemmPrecision precision, Isa isa, bool best) {
  for (const Form form : {Form::y, Form::dx, Form::dw, Form::y_packed}) {
    if (form == Form::y_packed && !best) continue;
    for (const Layer& layer : kLayers) add(layer, form, precision, isa);
    for (const Layer& layer : kHeads) {
      if (best) add(layer, form, precision, isa);
    }
    if (!best) break;
  }
}

const bool kAdded = [] {
  for (const auto precision : {GemmPrecision::f32, GemmPrecision::bf16}) {
    // Fp32 is AVX-512's on AMX too.
    const Isa last = precision == GemmPrecision::f32 ? Isa::avx512 : Isa::amx;
    for (const Isa isa : {Isa::avx2, Isa::avx512, Isa::amx}) {
      if (isa <= std::min(last, best_isa())) {
        add_all(precision, isa, isa == std::min(last, best_isa()));
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace plinth::tensor
