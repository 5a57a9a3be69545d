// What this machine's memory and vector units can do at most, measured: the yardstick of the
// kernels.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "tensor/isa.h"

namespace plinth::tensor {

enum class Probe : std::uint8_t {
  dram_read,      // each thread reads its own 64 MiB
  l3_read,        // 4 MiB in all
  l2_read,        // 192 KiB a thread
  fma_f32,        // fused multiply-adds, 2 operations each
  int8_signed,    // vpsignb, vpmaddubsw, vpmaddwd, vpaddd: signed 8-bit weights without VNNI
  int8_widened,   // vpmaddubsw, vpmaddwd, vpaddd: unsigned ones
  int8_in_int16,  // vpmaddubsw, vpaddw: 4-bit weights without VNNI
  int8_vnni,      // vpdpbusd
  bf16_avx512,    // vdpbf16ps
  int8_amx,       // tdpbusd
  bf16_amx,       // tdpbf16ps
};

std::string_view probe_name(Probe probe);
// bytes/s or operations/s
bool probe_counts_bytes(Probe probe);
// Those of this instruction set.
std::vector<Probe> probes_of(Isa isa);

// Bytes or operations per second of all threads of the pool together; the best of a few runs of
// some milliseconds each.
double measure(Probe probe, base::ThreadPool& pool, const base::Clock& clock);

}  // namespace plinth::tensor
