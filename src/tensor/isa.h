// Instruction sets that kernels are written for, found by CPUID and OS support, never by model
// name.
#pragma once

#include <string_view>
#include <vector>

namespace plinth::tensor {

enum class Isa { scalar, avx2, avx512, amx };  // ordered: each includes those before it

std::string_view isa_name(Isa isa);

// The best this machine and kernel can run. avx512 means F, BW, DQ, VL and VNNI (Intel from 2019,
// AMD from 2022); amx means that plus AVX-512's BF16 and FP16 and tile, int8 and bf16 with the
// kernel's permission (asked for once here).
// The environment variable PLINTH_ISA=scalar|avx2|avx512|amx lowers it.
Isa best_isa();

// Whether the set multiplies BF16 as it is. On avx512 it depends on the machine: not all that have
// VNNI do.
bool multiplies_bfloat(Isa isa);

// Every set this machine can run, scalar first: tests loop over it.
std::vector<Isa> supported_isas();

}  // namespace plinth::tensor
