// C = op(A) op(B), or C += op(A) op(B): general products of matrices, for training. Inference has
// its own (tensor/linear.h).
//
// With W: [out, in], x: [tokens, in] and dy: [tokens, out], the products of a linear layer are
//   y  = x W^T    m = tokens, n = out, k = in        b transposed
//   dx = dy W     m = tokens, n = in,  k = out       neither
//   dW = dy^T x   m = out,    n = in,  k = tokens    a transposed, mostly accumulated
//
// What a number of C is, by precision and instruction set, and nothing else:
//   f32, every set: one chain of fused multiply-adds in fp32 over k = 0, 1, ..., which begins with
//     C's number where it accumulates and else with zero. All sets give the same bits.
//   bf16: both operands are rounded to BF16, to nearest even, and sums are fp32. Where no
//     instruction multiplies BF16 they add up as in f32, and all such sets give the same bits;
//     AVX-512 adds pairs of k by VDPBF16PS in order; AMX adds blocks of 32 from k = 0 on by
//     TDPBF16PS (tensor/x86/bulk_kernels.h says how). The two instructions take subnormals for
//     zero.
// So a row of C depends on its own row of op(A), of C where it accumulates, and on B: not on m, on
// other rows, on the number of threads or on which of them did what. K is never divided among
// threads. Infinities and NaN pass through as in IEEE 754; which NaN comes out is not said.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "tensor/aligned_scratch.h"
#include "tensor/dtype.h"
#include "tensor/isa.h"

namespace plinth::tensor {

enum class GemmPrecision : std::uint8_t { f32, bf16 };

// A matrix as it is stored, row-major, not owned. f32 or bf16, whatever the precision.
struct GemmOperand {
  const void* data = nullptr;
  std::int64_t ld = 0;      // elements from one stored row to the next
  bool transposed = false;  // what is stored is op(X)^T
  DType dtype = DType::f32;
};

// op(B) in the form that the kernels of one instruction set and precision read, for matrices that
// many products use, such as frozen weights: packing costs about what a product of 100 rows does.
// Between pack() and repack() any number of threads may read it.
class PackedOperand {
 public:
  // b: op(B), [k, n], whose stored bytes are not referenced afterwards.
  static PackedOperand pack(const GemmOperand& b, std::int64_t k, std::int64_t n,
                            GemmPrecision precision, Isa isa, base::ThreadPool& pool);
  // Other numbers of the same shape, in the same memory.
  void repack(const GemmOperand& b, base::ThreadPool& pool);
  std::int64_t k() const { return k_; }
  std::int64_t n() const { return n_; }
  GemmPrecision precision() const { return precision_; }
  Isa isa() const { return isa_; }
  std::size_t bytes() const { return bytes_; }  // resident memory
  const std::byte* data() const { return data_.data(); }

 private:
  PackedOperand() = default;
  std::int64_t k_ = 0, n_ = 0;
  GemmPrecision precision_ = GemmPrecision::f32;
  Isa isa_ = Isa::scalar;
  std::size_t bytes_ = 0;
  AlignedScratch<std::byte> data_;
};

struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  GemmOperand a;  // op(A): [m, k]
  GemmOperand b;  // op(B): [k, n]
  // Instead of b: packed for the same k, n, precision and instruction set.
  const PackedOperand* packed_b = nullptr;
  float* c = nullptr;  // [m, n]; overlaps neither operand
  std::int64_t ldc = 0;
  bool accumulate = false;  // C += instead of C =
};

// Memory that products pack into. It grows to what the largest one needs, some tens of MiB, and is
// then used again: keep one for each pool. Not thread-safe.
class GemmWorkspace {
 public:
  GemmWorkspace();
  ~GemmWorkspace();
  GemmWorkspace(GemmWorkspace&&) noexcept;
  GemmWorkspace& operator=(GemmWorkspace&&) noexcept;
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// isa: one of supported_isas(). m, n and k may be zero; a product over no k is zero.
void gemm(const Gemm& product, GemmPrecision precision, Isa isa, GemmWorkspace& workspace,
          base::ThreadPool& pool);

// The same number by number, on one thread, without a vector: f32, and bf16 where no instruction
// multiplies it, to the bit. packed_b must be null.
void gemm_reference(const Gemm& product, GemmPrecision precision);

}  // namespace plinth::tensor
