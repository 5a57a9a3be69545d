#include "tensor/ceilings.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/units.h"
#include "tensor/huge_memory.h"
#include "tensor/x86/ceiling_kernels.h"

namespace plinth::tensor {

using namespace base::literals;

void read_scalar(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink) {
  std::int64_t sum = 0;
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
    std::int64_t word = 0;
    std::memcpy(&word, data + at, 8);
    sum ^= word;
  }
  *sink += sum;
}

double fma_scalar(std::int64_t rounds, std::int64_t* sink) {
  float sum[8] = {};
  for (std::int64_t i = 0; i < rounds; ++i) {
    for (float& s : sum) s = s * 0.999f + 0.001f;
  }
  *sink += static_cast<std::int64_t>(sum[0] + sum[7]);
  return static_cast<double>(rounds) * 16;
}

namespace {

constexpr int kRuns = 15;  // neighbours on the machine disturb most of them
// Threads that slept may share a core until the system has spread them.
constexpr std::chrono::milliseconds kShortest{300};
constexpr std::int64_t kRounds = 200'000;  // some milliseconds of arithmetic

struct Span {
  std::size_t bytes_in_all = 0, bytes_each = 0;
  int repeats = 1;
};

Span span_of(Probe probe) {
  switch (probe) {
    case Probe::dram_read:
      return {0, 64_MiB, 1};
    case Probe::l3_read:
      return {4_MiB, 0, 16};
    default:
      return {0, 192_KiB, 200};
  }
}

ArithmeticLoop loop_of(Probe probe, Isa isa) {
  switch (probe) {
    case Probe::fma_f32:
      return isa == Isa::scalar ? fma_scalar : (isa == Isa::avx2 ? fma_avx2 : fma_avx512);
    case Probe::int8_signed:
      return int8_signed_avx2;
    case Probe::int8_widened:
      return int8_widened_avx2;
    case Probe::int8_in_int16:
      return int8_in_int16_avx2;
    case Probe::int8_vnni:
      return int8_vnni_avx512;
    case Probe::bf16_avx512:
      return bf16_avx512;
    case Probe::int8_amx:
      return int8_amx;
    default:
      CHECK(probe == Probe::bf16_amx);
      return bf16_amx;
  }
}

// Runs body(thread) -> amount on all threads for a while; the best amount per second.
template <typename Body>
double best_rate(base::ThreadPool& pool, const base::Clock& clock, Body&& body) {
  std::vector<double> amounts(static_cast<std::size_t>(pool.size()) * 8);  // a cache line each
  double best = 0;
  const auto begin = clock.now();
  for (int run = 0; run < kRuns || clock.now() - begin < kShortest; ++run) {
    const auto start = clock.now();
    pool.run([&](int thread) { amounts[static_cast<std::size_t>(thread) * 8] = body(thread); });
    const double seconds = std::chrono::duration<double>(clock.now() - start).count();
    double amount = 0;
    for (int t = 0; t < pool.size(); ++t) amount += amounts[static_cast<std::size_t>(t) * 8];
    if (seconds > 0) best = std::max(best, amount / seconds);
  }
  return best;
}

}  // namespace

std::string_view probe_name(Probe probe) {
  switch (probe) {
    case Probe::dram_read:
      return "dram_read";
    case Probe::l3_read:
      return "l3_read";
    case Probe::l2_read:
      return "l2_read";
    case Probe::fma_f32:
      return "fma_f32";
    case Probe::int8_signed:
      return "int8_signed";
    case Probe::int8_widened:
      return "int8_widened";
    case Probe::int8_in_int16:
      return "int8_in_int16";
    case Probe::int8_vnni:
      return "int8_vnni";
    case Probe::bf16_avx512:
      return "bf16_avx512";
    case Probe::int8_amx:
      return "int8_amx";
    case Probe::bf16_amx:
      return "bf16_amx";
  }
  return "unknown";
}

bool probe_counts_bytes(Probe probe) { return probe <= Probe::l2_read; }

std::vector<Probe> probes_of(Isa isa) {
  std::vector<Probe> probes;
  for (const Probe probe : {Probe::dram_read, Probe::l3_read, Probe::l2_read, Probe::fma_f32}) {
    probes.push_back(probe);
  }
  if (isa >= Isa::avx2) {
    for (const Probe probe : {Probe::int8_signed, Probe::int8_widened, Probe::int8_in_int16}) {
      probes.push_back(probe);
    }
  }
  if (isa >= Isa::avx512) probes.push_back(Probe::int8_vnni);
  if (multiplies_bfloat(isa)) probes.push_back(Probe::bf16_avx512);
  if (isa >= Isa::amx) {
    probes.push_back(Probe::int8_amx);
    probes.push_back(Probe::bf16_amx);
  }
  return probes;
}

double measure(Probe probe, base::ThreadPool& pool, const base::Clock& clock) {
  const Isa isa = best_isa();
  if (!probe_counts_bytes(probe)) {
    const ArithmeticLoop loop = loop_of(probe, isa);
    return best_rate(pool, clock, [&](int) {
      std::int64_t sink = 0;
      const double operations = loop(kRounds, &sink);
      return sink == -1 ? 0.0 : operations;
    });
  }
  const Span span = span_of(probe);
  const auto threads = static_cast<std::size_t>(pool.size());
  const std::size_t bytes = span.bytes_each != 0 ? span.bytes_each : span.bytes_in_all / threads;
  // As the weights lie: in huge pages.
  HugeMemory memory;
  const auto taken = memory.take(bytes * threads);
  if (!taken.ok()) return 0;
  const auto data = *taken;
  std::fill(data.begin(), data.end(), 1);
  const ReadLoop read =
      isa == Isa::scalar ? read_scalar : (probe == Probe::dram_read ? read_memory_avx2 : read_avx2);
  return best_rate(pool, clock, [&](int thread) {
    std::int64_t sink = 0;
    for (int i = 0; i < span.repeats; ++i) {
      read(data.data() + static_cast<std::size_t>(thread) * bytes, bytes, &sink);
    }
    return sink == -1 ? 0.0 : static_cast<double>(bytes) * span.repeats;
  });
}

}  // namespace plinth::tensor
