// What the products of tensor/gemm.h are made of, one table for each arithmetic. Both operands are
// packed into panels: so many rows of op(A), or columns of op(B), as a register tile has, with k
// running through them in the order in which a kernel reads. What a matrix lacks of its last panel
// and of its last step is zero.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tensor/gemm.h"

namespace plinth::tensor {

// k is packed in steps of so many numbers, so that a panel of any kernel is made of whole blocks of
// 16 vectors of 16 (two numbers of BF16 are one element of a vector).
inline constexpr std::int64_t kGemmStep = 32;

// Panels of one operand over a part of k.
struct PackTask {
  GemmOperand from;
  // Whether numbers that follow each other in memory differ in k, and not in the row or column.
  bool along_k = false;
  // Rows or columns that there are, and those to pack: from a whole panel on.
  std::int64_t width = 0, first = 0, last = 0;
  // As many numbers as there are, and those to pack: from a whole step on.
  std::int64_t k = 0, k_first = 0, k_last = 0;
  // Of the panel of `first`, at the step of k_first.
  std::byte* to = nullptr;
  std::int64_t panel_bytes = 0;  // from one panel to the next
};

// Some rows of C over a part of k.
struct GemmTask {
  const std::byte *a = nullptr, *b = nullptr;  // first panels, at the first step
  std::int64_t a_panel_bytes = 0, b_panel_bytes = 0;
  std::int64_t rows = 0, columns = 0, k = 0;
  float* c = nullptr;
  std::int64_t ldc = 0;
  bool from_zero = false;        // C is overwritten
  std::byte* scratch = nullptr;  // of the thread's own, GemmKernel::scratch_bytes
};

struct GemmKernel {
  int rows = 0, columns = 0;  // of a register tile: the width of A's and B's panels
  int number_bytes = 0;       // of a packed number: 4 or 2
  // Of packed A that a task has at most: it stays in a cache. Rows of C, a multiple of `rows`.
  std::int64_t block_bytes = 0, block_rows = 0;
  std::size_t scratch_bytes = 0;
  void (*pack_a)(const PackTask& task) = nullptr;
  void (*pack_b)(const PackTask& task) = nullptr;
  void (*multiply)(const GemmTask& task) = nullptr;

  // Rows of C that one task takes over so much of k.
  std::int64_t rows_of_block(std::int64_t k) const {
    const auto panels = std::min(block_bytes / panel_bytes(rows, k), block_rows / rows);
    return std::max<std::int64_t>(panels, 1) * rows;
  }
  std::int64_t panel_bytes(int width, std::int64_t k) const {
    return (k + kGemmStep - 1) / kGemmStep * kGemmStep * width * number_bytes;
  }
};

extern const GemmKernel kGemmScalar, kGemmScalarRounded;
extern const GemmKernel kGemmAvx2, kGemmAvx2Rounded;
extern const GemmKernel kGemmAvx512, kGemmAvx512Rounded, kGemmBfloatAvx512;
extern const GemmKernel kGemmAmx;

const GemmKernel& gemm_kernel(GemmPrecision precision, Isa isa);

}  // namespace plinth::tensor
