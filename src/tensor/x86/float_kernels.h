// Floating-point weights as they are stored, packed in groups of 16 rows, one row for each lane of
// a vector:
//   f32, f16  for each column 16 values
//   bf16      for each pair of columns 16 pairs, up to a multiple of 32 columns with zeros: 16
//   pairs
//             of columns are one AMX tile
// F32, F16 and, up to AVX2, BF16 multiply fp32 activations and add up in fp32, column by column.
// AVX-512 and AMX (bulk_kernels.h) multiply BF16 by activations rounded to BF16 and add up in fp32,
// each in its own order, which depends on neither the number of tokens nor the threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace plinth::tensor {

inline constexpr int kFloatRows = 16;
inline constexpr int kBfloatTile = 32;  // columns of a tile

enum class FloatStore : std::uint8_t { f32, f16, bf16 };

constexpr std::int64_t bfloat_columns(std::int64_t columns) {
  return base::round_up<std::int64_t>(columns, kBfloatTile);
}
constexpr std::int64_t float_group_bytes(FloatStore store, std::int64_t columns) {
  switch (store) {
    case FloatStore::f32:
      return columns * kFloatRows * 4;
    case FloatStore::f16:
      return columns * kFloatRows * 2;
    case FloatStore::bf16:
      return bfloat_columns(columns) * kFloatRows * 2;
  }
  return 0;
}

// y[t * ldy + r] for the 16 rows r of one group and m tokens t.
struct FloatTask {
  const std::uint8_t* group = nullptr;
  const float* x = nullptr;  // [m, columns]
  std::int64_t columns = 0;
  int m = 0;
  float* y = nullptr;
  std::int64_t ldy = 0;
};

struct FloatKernels {
  void (*f32)(const FloatTask& task);
  void (*f16)(const FloatTask& task);
  void (*bf16)(const FloatTask& task);
};

extern const FloatKernels kFloatsScalar;
extern const FloatKernels kFloatsAvx2;
extern const FloatKernels kFloatsAvx512;

// The same product with activations in BF16.
struct BfloatTask {
  const std::uint8_t* group = nullptr;
  const std::uint16_t* x = nullptr;  // [m, columns], zeros where W has no column
  std::int64_t columns = 0;          // of bfloat_columns()
  int m = 0;
  float* y = nullptr;
  std::int64_t ldy = 0;
};

// Sums of the even and of the odd pairs of columns, which are added up at the end.
void multiply_bfloat_avx512(const BfloatTask& task);
// Rounds to nearest even; subnormal values become zero.
void round_to_bfloat_avx512(const float* x, std::int64_t columns, std::uint16_t* out);

}  // namespace plinth::tensor
