// The wide form and the kernels that multiply it: AVX-512 VNNI and AMX.
//
// Rows are packed in groups of 16, one per 32-bit lane. Per group and block of 32 columns: d[16],
// m[16] (fp32), then the integers: for 8-bit 8 x 64 bytes (byte b of lane r of vector j is column
// 4j + b of row r), for 4-bit 4 x 64 bytes (low nibble: columns 0..15, high nibble: columns 16..31,
// same order).
#pragma once

#include <cstdint>

namespace plinth::tensor {

inline constexpr int kGroupRows = 16;
inline constexpr int kBlock = 32;

// Activations of m tokens in blocks of 32: q [m, columns] int8, d [m, blocks], and
// s [m, blocks] = d * sum of q over the block, both fp32.
struct QuantizedRows {
  const std::int8_t* q = nullptr;
  const float* d = nullptr;
  const float* s = nullptr;
  std::int64_t columns = 0;
};

// y[t * ldy + r] for 16 rows r of one group and m tokens t.
using QuantKernel = void (*)(const std::uint8_t* group, int bits, const QuantizedRows& x, int m,
                             float* y, std::int64_t ldy);
// Quantises one row of `columns` (a multiple of 32) floats.
using QuantizeKernel = void (*)(const float* x, std::int64_t columns, std::int8_t* q, float* d,
                                float* s);

struct WideKernels {
  QuantKernel quant;
  QuantizeKernel quantize;
};

extern const WideKernels kWideAvx512;
extern const WideKernels kWideAmx;  // same bits as kWideAvx512

// Bytes of one block of one group.
constexpr std::int64_t block_bytes(int bits) { return 2 * 64 + kGroupRows * kBlock * bits / 8; }

}  // namespace plinth::tensor
