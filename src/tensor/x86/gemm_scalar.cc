#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/x86/gemm_kernels.h"

namespace plinth::tensor {

namespace {

// Small: what the compiler keeps in registers does not matter where fused multiply-adds are calls.
constexpr int kRows = 4, kColumns = 8;

float widened(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

float rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return widened(static_cast<std::uint16_t>(bits >> 16 | 0x40));
  return widened(static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
}

float stored_at(const GemmOperand& x, std::int64_t row, std::int64_t column) {
  const auto at = row * x.ld + column;
  if (x.dtype == DType::f32) return static_cast<const float*>(x.data)[at];
  return widened(static_cast<const std::uint16_t*>(x.data)[at]);
}

float number_at(const GemmOperand& x, std::int64_t row, std::int64_t column,
                GemmPrecision precision) {
  const float value = x.transposed ? stored_at(x, column, row) : stored_at(x, row, column);
  return precision == GemmPrecision::bf16 ? rounded(value) : value;
}

template <GemmPrecision kPrecision, int kWidth>
void pack(const PackTask& task) {
  std::byte* panel = task.to;
  for (auto p = task.first; p < task.last; p += kWidth, panel += task.panel_bytes) {
    auto* to = reinterpret_cast<float*>(panel);
    for (auto k = task.k_first; k < task.k_last; ++k) {
      for (auto row = p; row < p + kWidth; ++row, ++to) {
        *to = 0;
        if (row >= task.width) continue;
        const float value =
            task.along_k ? stored_at(task.from, row, k) : stored_at(task.from, k, row);
        *to = kPrecision == GemmPrecision::bf16 ? rounded(value) : value;
      }
    }
  }
}

void multiply(const GemmTask& task) {
  for (std::int64_t r = 0; r < task.rows; ++r) {
    const auto* a = reinterpret_cast<const float*>(task.a + r / kRows * task.a_panel_bytes);
    for (std::int64_t c = 0; c < task.columns; ++c) {
      const auto* b = reinterpret_cast<const float*>(task.b + c / kColumns * task.b_panel_bytes);
      float& out = task.c[r * task.ldc + c];
      float sum = task.from_zero ? 0 : out;
      for (std::int64_t k = 0; k < task.k; ++k) {
        sum = std::fma(a[k * kRows + r % kRows], b[k * kColumns + c % kColumns], sum);
      }
      out = sum;
    }
  }
}

template <GemmPrecision kPrecision>
constexpr GemmKernel kernel() {
  GemmKernel made;
  made.rows = kRows;
  made.columns = kColumns;
  made.number_bytes = 4;
  made.block_bytes = 1 << 20;
  made.block_rows = 16 * kRows;
  made.pack_a = pack<kPrecision, kRows>;
  made.pack_b = pack<kPrecision, kColumns>;
  made.multiply = multiply;
  return made;
}

}  // namespace

constinit const GemmKernel kGemmScalar = kernel<GemmPrecision::f32>();
constinit const GemmKernel kGemmScalarRounded = kernel<GemmPrecision::bf16>();

void gemm_reference(const Gemm& product, GemmPrecision precision) {
  for (std::int64_t r = 0; r < product.m; ++r) {
    for (std::int64_t c = 0; c < product.n; ++c) {
      float& out = product.c[r * product.ldc + c];
      float sum = product.accumulate ? out : 0;
      for (std::int64_t k = 0; k < product.k; ++k) {
        sum = std::fma(number_at(product.a, r, k, precision), number_at(product.b, k, c, precision),
                       sum);
      }
      out = sum;
    }
  }
}

}  // namespace plinth::tensor
