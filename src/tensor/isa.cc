#include "tensor/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace plinth::tensor {

namespace {

// Linux: ask for the tile registers once per process (arch_prctl ARCH_REQ_XCOMP_PERM, 18 = tile
// data).
bool amx_permitted() {
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool has_bfloat_products() { return __builtin_cpu_supports("avx512bf16") != 0; }

// Tiles, and AVX-512's fp16, in which their weights are unpacked.
bool has_amx_bits() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned kBf16 = 1u << 22, kFp16 = 1u << 23, kTile = 1u << 24, kInt8 = 1u << 25;
  constexpr unsigned kAll = kBf16 | kFp16 | kTile | kInt8;
  return (d & kAll) == kAll;
}

Isa detect() {
  // __builtin_cpu_supports reads CPUID and checks that the operating system saves the registers.
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::scalar;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  if (!avx512) return Isa::avx2;
  return has_bfloat_products() && has_amx_bits() && amx_permitted() ? Isa::amx : Isa::avx512;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::amx:
      return "amx";
  }
  return "unknown";
}

Isa best_isa() {
  static const Isa best = [] {
    const Isa found = detect();
    const char* wanted = std::getenv("PLINTH_ISA");
    if (wanted == nullptr) return found;
    for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::amx}) {
      if (isa_name(isa) == wanted && isa < found) return isa;
    }
    return found;
  }();
  return best;
}

bool multiplies_bfloat(Isa isa) { return isa >= Isa::avx512 && has_bfloat_products(); }

std::vector<Isa> supported_isas() {
  std::vector<Isa> all;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::amx}) {
    if (isa <= best_isa()) all.push_back(isa);
  }
  return all;
}

}  // namespace plinth::tensor
